"""English words of marks of privacy, and of what only looks like one: data."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# How something is said, before or after the addressees: `(quietly, in a low voice, to Ida)`.
MANNERS = _words(
    """
    a add adding adds aggressively alone and angrily answer answering answers aside ask asking
    asks back breath calmly can close closer confidence confidential confidentially continues
    could direct directly discreet discreetly dm ear ears exclusively eyes for gently hear
    hearing hears her his hush hushed in just lean leaning leans low lower lowered lowering
    lowers may message msg murmur murmured murmuring murmurs mutter muttered muttering mutters
    my note one only over own person personal pm private privately quiet quietly replied replies
    reply replying s said say saying says secret secretly send sending sends sent so soft softly
    sotto speak speaking speaks spoken still talk talking talks tell telling tells text texting
    texts that the their them then tone under urgently very voce voice while whisper whispered
    whispering whispers with word words
    """
)
# Those that make a direction a mark, where it says nothing else than how and to whom.
PRIVATELY = _words(
    """
    aside confidence confidential confidentially discreetly dm exclusively msg pm private
    privately secret secretly sotto whisper whispered whispering whispers
    """
)
ONLY = _words(
    """
    alone exclusively just only
    """
)
# Wherever they stand in a direction, it tells of words that are not for everybody.
LOW_VOICE = (
    r"\b(?:whisper(?:s|ed|ing)|(?<!a )(?<!the )whisper|in a whisper|sotto voce|"
    r"under (?:her|his|their|my|your|its) breath|(?:ears?|eyes) only|out of earshot|off the record)\b"
)
HEARING = (  # so do these, with a name: `so only Ida can hear`
    r"\b(?:only (?:\S+ ){1,5}?(?:can |could |may |will |to )?hears?|so (?:that )?(?:\S+ ){1,5}?hears?|"
    r"without (?:\S+ ){1,4}?(?:over)?hearing)\b"
)
# Whoever is named after these is the one who must not hear.
NOT_HEARING = r"(?:\b(?:not|never|without|nobody|no one|none|unless|hidden|hiding|behind)\b|n['’]t\b)"
ASIDE = r"\b(?:pull|take|draw|lead|beckon)(?:s|ing)? (?:\S+ ){1,4}?aside\b"

EVERYONE = (
    r"(?:everyone(?: else)?|everybody(?: else)?|all(?: of (?:them|you|us))?|"
    r"(?:the )?(?:whole |entire )?(?:room|group|table|company|party|crowd|gathering|assembly|class|"
    r"team|others|rest)|no ?one in particular|nobody in particular|anyone who \S+|y['’]?all)"
)
BOTH = r"(?:(?:you |them )?both(?: of (?:you|them))?|(?:the )?two of (?:you|them))"
BUT = r"\s*,?\s*(?:but|except(?: for)?|apart from|other than|save|not|without)\s+"
ONESELF = r"(?:herself|himself|themselves|themself|myself|itself|oneself|yourself|self)"
PRONOUN = r"(?:you|him|her|them)"

# What follows "to" without being anybody: verbs, things, places and times, as in `(to be honest)`,
# `(to my mind)`, `(to the left)`.
NOBODY = _words(
    """
    a accept act add address admit advantage afternoon agree airport allow an announce answer
    any apartment appease april argue arm arrive ask assist assure attract august avoid back
    bank bar bargain bathroom be beach bear become bed bedroom beg begin beginning believe bell
    best bid boast boil bone book boot borrow bottom box break bridge brim bring build building
    bus business buy call calm car carry case catch ceiling celebrate cent center centre certain
    chagrin change chase cheat check cheer choose church city clarify clean clear clock close
    coast collect college come comfort compare complain complete concede conclude conclusion
    confess confirm congratulate consider continue contract contrary convey cook core corner
    counter country court cover cross cry cup cupboard cut dance date dawn day days deal death
    december decide deck deep defence defend degree delight deliver demand demonstrate deny
    describe desk detail die differ digress dinner disadvantage disbelief discuss dismay do door
    doors draw drawer drink drive dust each ear early earn earth east eat edge effect elaborate
    email emphasise emphasize encourage end enjoy ensure escape eve evening exaggerate exit
    expand explain express extent extreme eye eyes face fact february fetch fifty fight fill
    final find finish fire first fit five fix floor fly follow foot force forget forgive four
    friday fridge front full furniture gain garden gate get give go god good grab great greet
    ground grow guess gym half hall hand harbour have head health hear heart heaven heavens hell
    help here hide hill hilt hold home hope horizon horror hospital hotel hour house how hundred
    hurry i idea illustrate imagine impress improve inch include inform inside insist intervene
    introduce invite it january join joke july jump june justify keep kill kitchen know
    knowledge ladder lake last later laugh lay lead learn leave left lend let letter level
    library lie life lift light liking limit line lips list listen live look lose love lower
    luck lunch make manage many map march mark market match matter max maximum may me mean
    measure meet meeting mention menu mercy middle midnight mind minimum minute mirror mitigate
    mock moment monday money month moon morning most mountain mountains move museum music name
    nearest neck negotiate newspaper next night noon north note nothing notice november now nth
    number object observe ocean october offer office one open order other our outside own page
    paper paraphrase park pass past path pause pay peace penny persuade phone photo pick picture
    pieces place plan platform play please point postpone praise prepare prevent price problem
    promise propose prove provide pull push put question quote radio raise reach read reason
    reassure recall recap receive reception reduce refuse rehearse reiterate relax relief
    remember remind repeat rephrase reply report rescue respond rest restate restaurant result
    return reveal review right river road roof room rule run saturday save say scale school
    screen sea second secure see seek sell send september serve set settle share shelf shop
    shore shorten shoulder show side sign signal simplify sing sink sit six skies sky sleep
    smile sofa solve some sooner south speak specify spend spot stage stairs stake stand start
    state station stay steal stop store story street stress study succeed such suggest sum
    summarise summarize sun sunday support surprise survive swear table take talk taste teach
    tears tease television tell ten test thank that theatre there these thing things think this
    those three throw thursday ticket till time times tip toast today tomorrow tonight top touch
    tower town train translate travel tree truth try tuesday tune turn tv twenty two underline
    understand university us use utmost utter very victory village visit voicemail wait wake
    walk wall wallet warn wash washroom watch water way wear wednesday week weekend west what
    when where which whom win wind window windows wine wit wonder word words work world worst
    write yard year years yes zero
    """
)
NOBODY_ENDS = (
    "ness", "ment", "tion", "sion", "ance", "ence", "ism", "ship", "hood", "dom", "ize", "ise", "ify",
    "ing",
)  # fmt: skip
# People who are called by what they are, although an ending above would clear them.
PEOPLE = _words(
    """
    apprentice audience boss boy brother buyer captain cashier child children clerk colleague
    companion conductor cousin crew customer customers dad daughter doctor driver father friend
    friends girl guard guest guests guy host hostess husband intern judge kid kids king ladies
    lady landlady landlord lawyer lover lovers man manager mate mayor men mom mother mum
    neighbor neighbour neighbours nurse officer official opponent parent parents partner patient
    people person pilot police policeman prince princess queen rival salesman seller servant sir
    sister son staff stranger student teacher tenant waiter waitress wife witness woman women
    """
)
# After these, "to" and a name in brackets is where something goes: `the train (to Lisbon)`.
GOING = _words(
    """
    bus buses coach drive ferries ferry flew flight flights fly go goes going journey letter
    letters line move moved moving road route ship ticket tickets tour train trains tram travel
    travelled travelling trip trips underground voyage walk way
    """
)
ARTICLES = _words(
    """
    a an dear her his its my old one our some that the their this young your
    """
)
HONORIFICS = _words(
    """
    aunt brother captain doctor don doña dr father frau fräulein herr judge m madam madame miss
    mlle mme monsieur mr mrs ms mx officer prof professor rev señor señora sir sister sr sra
    uncle
    """
)
# A relationship's value → what such people are called.
KINSHIP = {
    "stranger": (
        "stranger",
    ),
    "friend": (
        "friend", "buddy", "pal", "mate", "best friend",
    ),
    "acquaintance": (
        "acquaintance",
    ),
    "romantic_relationship": (
        "partner", "husband", "wife", "spouse", "girlfriend", "boyfriend", "lover", "fiancé",
        "fiancée", "darling", "sweetheart",
    ),
    "family_member": (
        "family", "relative", "sister", "brother", "mother", "father", "mum", "mom", "dad",
        "daughter", "son", "cousin", "aunt", "uncle", "grandmother", "grandfather", "sibling",
        "parent", "child",
    ),
}  # fmt: skip
