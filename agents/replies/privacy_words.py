"""English words of marks of privacy, and of what only looks like one: data."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# How something is said, before or after the addressees: `(quietly, in a low voice, to Ida)`.
MANNERS = _words("""
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
    """)
# Those that make a direction a mark, where it says nothing else than how and to whom.
PRIVACY_WORDS = _words("""
    aside confidence confidential confidentially discreetly dm exclusively msg pm private
    privately secret secretly sotto whisper whispered whispering whispers
    """)
ONLY = _words("""
    alone exclusively just only
    """)
# Wherever they stand in a direction, it tells of words that are not for everybody.
LOW_VOICE = (
    r"\b(?:whisper(?:s|ed|ing)|(?<!a )(?<!the )whisper|in a whisper|sotto voce|"
    r"under (?:her|his|their|my|your|its) breath|(?:ears?|eyes) only|out of earshot|off the"
    r" record)\b"
)
HEARING = (  # so do these, with a name: `so only Ida can hear`
    r"\b(?:only (?:\S+ ){1,5}?(?:can |could |may |will |to )?hears?|so (?:that )?(?:\S+"
    r" ){1,5}?hears?|"
    r"without (?:\S+ ){1,4}?(?:over)?hearing)\b"
)
# Whoever is named after these is the one who must not hear.
NOT_HEARING = (
    r"(?:\b(?:not|never|without|nobody|no one|none|unless|hidden|hiding|behind)\b|n['’]t\b)"
)
ASIDE = r"\b(?:pull|take|draw|lead|beckon)(?:s|ing)? (?:\S+ ){1,4}?aside\b"

EVERYONE = (
    r"(?:everyone(?: else)?|everybody(?: else)?|all(?: of (?:them|you|us))?|"
    r"(?:the )?(?:whole |entire )?(?:room|group|table|company|party|crowd|gathering|assembly|class|"
    r"team|others|rest)|no ?one in particular|nobody in particular|each other|one another|anyone"
    r" who \S+|y['’]?all)"
)
BOTH = r"(?:(?:you |them )?both(?: of (?:you|them))?|(?:the )?two of (?:you|them))"
EXCEPT = r"\s*,?\s*(?:but|except(?: for)?|apart from|other than|save|not|without)\s+"
REFLEXIVE = r"(?:herself|himself|themselves|themself|myself|itself|oneself|yourself|self)"
PRONOUN = r"(?:you|him|her|them)"

# What follows "to" without being anybody: `(to clarify)`, `(to be honest)`.
VERBS = _words("""
    a accept act add address admit agree allow an and announce answer any apologise apologize
    appease argue arrive ask assist assure attract avoid back bake barter be bear beat become
    beg begin believe bet bid boast boil book boost boot borrow brag break bring build buy call
    calm cancel cap carry catch celebrate certain change charge chase chat cheat check cheer
    choose clarify clean clear climb close collect come comfort compare complain complete
    concede conclude confess confirm congratulate consider continue convey cook cool cover cross
    crown cry cut dance dare date deal decide defend delay deliver demand demonstrate deny
    describe die differ digress dine discuss do double draw drink drive dust each early earn eat
    eighty either elaborate eleven emphasise emphasize encourage end enjoy ensure entertain
    escape exaggerate expand explain express face fetch fifty fight fill find finish fire fit
    fix flirt fly fold follow force forget forgive forty gain gamble get give go gossip grab
    greet grow guess haggle halve hand have head hear heat help here hide hike hire hold hope
    how hundred hurry illustrate imagine impress improve include inform insist intervene
    introduce invite iron it jog join joke jump justify keep kill know later laugh lay lead
    learn lease leave lend let lie lift light limit line list listen live load lock look lose
    love lower mail make manage mark match matter me mean measure meet mention mind mitigate
    mock mop most move name nearest negotiate neither ninety no note nothing notice now number
    object observe offer one open order other our own pack paint paraphrase pass pause pay
    persuade phone pick place plan play please point post postpone praise prepare prevent
    promise propose prove provide pull push put question quote race raise rant rave reach read
    reason reassure recall recap receive reduce refund refuse rehearse reiterate relax remember
    remind rent repeat rephrase reply report reserve respond restate return reveal review right
    ring risk rob round rule run rush save say scale secure see seek sell send serve set settle
    seventy sew share shave ship shorten show shut sign signal simplify sing sit sixty ski slash
    sleep slow smile solve some sooner spare speak specify spend stage stand start state stay
    steal stop stress study succeed such suggest sum summarise summarize support survive swap
    swear sweep swim table take talk taste teach tease tell ten test text thank that there these
    think thirty this those throw tidy time toast top touch trade train translate travel trim
    triple try turn twelve twenty underline understand unload unlock unpack us use utter vent
    very visit wait wake walk warm warn wash watch water wear what when where which whom win wit
    wonder word work wrap write yes zero
    """)
# So do things, places and times: `(to the left)`, `(to my mind)`, `(to date)`.
THING_NOUNS = _words("""
    above advantage afternoon airport amusement annoyance answer apartment april arm attic
    august avail bag bakery balcony ballpark bank bar bargain barn basement basket bathroom
    bazaar beach beat bed bedroom beginning bell below belt bench benefit best bird boat bone
    book boot booth border bottle bottom bowl box bracelet bridge brim brink building bus
    business camera car carpet case castle cat ceiling ceilings cellar cent center centre
    chagrin chair chapel chest church cinema city clinic clock coast coat coffee college concert
    conclusion continent contract contrary core corner cosmos couch counter country court crate
    credit cup cupboard curtain date dawn day days death december deck deep defence degree
    delight desk detail dinner disadvantage disbelief dismay district dog dollar door doors
    drawer dress dust ear earth east edge effect email end euro eve evening exit extent extreme
    eye eyes face fact factory farm fault february few field final finish fire floor following
    foot forest former friday fridge front frontier full fullest furniture gallery garage garden
    gate glass glove god good great grocery ground gym half hall hallway hand harbor harbour hat
    head health heart heaven heavens hell hill hilt home horizon horror horse hospital hostel
    hotel hour house idea inch infinity inn inside island jacket january jar joy july june
    jungle kettle kiosk kitchen knowledge lab laboratory ladder lake lamp last latter lawn left
    letter level library life light liking limit line lips list lobby lot luck lunch mall many
    map march market max maximum may meadow meeting menu mercy microphone middle midnight mill
    mind minimum minute mirror moment monday money month moon morning mosque motel mountain
    mountains museum music neck necklace newspaper next night noon north november nth ocean
    october office opera outside oven page palace pan paper paperwork park past path peace penny
    pharmacy phone phones photo picture pieces pier place plan plane planet plant plate platform
    pocket point pool porch pot pound price problem province pub purpose purse question radio
    reception regret relief rescue rest restaurant result right ring river road roof rooftop
    room rug sale same satisfaction saturday scarf school screen sea september shame shelf shirt
    shoe shop shore shoulder side sign sink skies sky sofa sorrow sound south spot square stable
    stage stairs stairway stake stall stand star start station stop store story stove street
    studio suitcase sun sunday sunrise sunset supermarket surprise table taste tavern tea tears
    tee television temple terrace test theatre thing things thursday ticket till time times tin
    tip today tomorrow tonight top total touch tower town train tree trunk truth tuesday tune tv
    universe university utmost verge victory view village voicemail wall wallet war warehouse
    washroom watch water way wednesday week weekend west wilderness wind window windows wine
    wonder woods word words work workshop world worst yard year years
    """)
# A second word like these makes a verb of the first: `(to sum up)`, `(to recap it)`.
FUNCTION_WORDS = _words("""
    a about all an any anything as at away back both by down everything for from her him his in
    into it its less me more my no not of off on our out over so some something that the their
    them these things this those to up us with you your
    """)
# Words above that are also names, and so are not cleared where they are written like one: `(to
# Mark)`.
ALSO_NAMES = _words("""
    amber angel april art august autumn bill brook chance charity chase christian clay cliff cook
    crystal daisy dawn dean drew duke earl earnest faith forest frank gene ginger glen grace grant
    guy harry heath holly hope hunter iris ivy jack jasmine joy june lance lily mark max may miles
    nick olive pat penny pepper pierce prudence reed rich river rob robin rose ruby sandy sky skip
    star stone storm sue summer trip victor violet wade ward will wood
    """)
NON_PERSON_ENDINGS = (
    "ness", "ment", "tion", "sion", "ance", "ence", "ism", "ship", "hood", "dom", "ize", "ise",
    "ify", "ing",
)  # fmt: skip
# People who are called by what they are, although an ending above would clear them.
PERSON_NOUNS = _words("""
    apprentice audience boss boy brother buyer captain cashier child children clerk colleague
    companion conductor cousin crew customer customers dad daughter doctor driver father friend
    friends girl guard guest guests guy host hostess husband intern judge kid kids king ladies
    lady landlady landlord lawyer lover lovers man manager mate mayor men mom mother mum
    neighbor neighbour neighbours nurse officer official opponent parent parents partner patient
    people person pilot police policeman prince princess queen rival salesman seller servant sir
    sister son staff stranger student teacher tenant waiter waitress wife witness woman women
    """)
# After these, "to" and a name in brackets is where something goes: `the train (to Lisbon)`.
TRAVEL_WORDS = _words("""
    bus buses coach drive ferries ferry flew flight flights fly go goes going journey letter
    letters line move moved moving road route ship ticket tickets tour train trains tram travel
    travelled travelling trip trips underground voyage walk way
    """)
ARTICLES = _words("""
    a an dear her his its my old one our some that the their this young your
    """)
# of names
NAME_PARTICLES = _words("al bin da de del della den der di dos du el la le san st van von y zu")
HONORIFICS = _words("""
    aunt brother captain doctor don doña dr father frau fräulein herr judge m madam madame miss
    mlle mme monsieur mr mrs ms mx officer prof professor rev señor señora sir sister sr sra
    uncle
    """)
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
