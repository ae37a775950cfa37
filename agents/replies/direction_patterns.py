"""Words for leaving, silence, gestures and whispers in the languages of replies: data, no code.

English stage directions are read by the finer rules of `replies`; here is what the other languages
write in brackets. All languages are read at every table, so a pattern must not be an English phrase
of another meaning.
"""

from __future__ import annotations

from dataclasses import dataclass

from agents.replies.name_forms import CHINESE_TITLES


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectionPatterns:
    """One language's patterns, case ignored, for the inside of a stage direction."""

    leaving: str  # from the direction's start: the seat leaves for good
    silence: str  # the whole direction: nothing is said
    gestures: str  # anywhere in it: a gesture or a look
    whispers: str  # anywhere in it: said so that not everybody hears
    addressed: str  # the whole direction is a mark of privacy; the groups hold the addressees
    beside: str  # stands beside the addressees in a mark: articles, titles, "and", "to"


_GERMAN_MANNER = (
    r"(?:flüster\w*|(?:ganz"
    r" )?leise|nur|allein|heimlich|vertraulich|privat|sagt|spricht|direkt|beiseite|"
    r"im vertrauen|ausschließlich|unter vier augen|mit gesenkter stimme)"
)
_FRENCH_MANNER = (
    r"(?:chuchot\w*|murmur\w*|à voix basse|à mi-voix|en privé|en aparté|en"
    r" secret|dit|seul(?:e|ement)?|uniquement|tout bas|"
    r"doucement|discrètement|juste|rien qu\w*['’]?|en confidence|confidentiellement)"
)
_SPANISH_MANNER = (
    r"(?:susurr\w*|en voz baja|en privado|en"
    r" secreto|dice|s[oó]lo|(?:sola|única|discreta|confidencial)mente|aparte|al oído|"
    r"bajito|en confianza)"
)
_ARABIC_MANNER = (
    r"(?:[يت]?همس\w*|سر[ًا]{1,2}|على انفراد|بصوت (?:منخفض|خافت)|فقط|وحد(?:ه|ها)|[يت]قول)"
)
GERMAN = DirectionPatterns(
    leaving=(
        r"(?:\w+ ){0,3}?(?:verlässt(?! sich\b)|(?:geht|gehen)(?: (?:weg|fort|hinaus|raus|davon|nach"
        r" hause))?\W*$|"
        r"(?:weg|fort|hinaus)gehen\W*$|verlassen\W*$|legt auf\W*$|verabschiedet sich\W*$)"
    ),
    silence=r"(?:\w+ ){0,2}?(?:schweigt|schweigen|sagt nichts|bleibt (?:still|stumm)|stille)",
    gestures=r"\b(?:nickt|nicken|schüttelt|lächelt|seufzt|zuckt|lacht|grinst|blickt|schaut|starrt|winkt|zwinkert|errötet|"
    r"weint|lehnt|zögert|hustet|räuspert|verbeugt|umarmt|flüstert|runzelt)\b",
    whispers=r"\b(?:flüster\w*|heimlich zu|vertraulich|unter vier augen|ins ohr|zu sich selbst|"
    r"nur (?:\S+ ){1,4}?hört)\b|\bin \S+ ohr\b",
    addressed=(
        rf"(?:{_GERMAN_MANNER}["
        rf" ,:]+)*(?:zu[mr]?|an|für)\s+(?P<to>[^:]+?)(?:,?\s+(?:{_GERMAN_MANNER}|gewandt))*|"
        r"flüster\w*\s+(?P<to2>[^:,]+?)\s+(?:zu|ins ohr)|nur (?P<to3>[^:,]+)"
    ),
    beside=r"\b(?:und|zu[mr]?|an|für|d(?:ie|e[rnms]|as)|(?:mein|unser|dein|ihr|sein)(?:e[nmrs]?)?|(?:lieb|gut|alt)e[nmrs]?|"
    r"herrn?|frau|fräulein|dr|prof|doktor|professor(?:in)?)\b\.?",
)
FRENCH = DirectionPatterns(
    leaving=(
        r"(?:\w+ ){0,3}?(?:s['’]en va\b|s['’]en aller\W*$|part\W*$|part pour de bon\b|partir\W*$|"
        r"quitte"
        r" (?:la|le|les|cette|ce|l['’])\s?(?:pièce|salle|magasin|boutique|maison|conversation|"
        r"table|appartement|bureau|café|"
        r"restaurant|scène|réunion|lieux?)\b|sort\W*$|sort (?:de la|du|de"
        r" l['’])\s?(?:pièce|salle|magasin|boutique|maison|"
        r"appartement|bureau|café|restaurant|réunion)\b|raccroche\b)"
    ),
    silence=r"(?:\w+ ){0,2}?(?:ne dit rien|se tait|reste silencieu(?:x|se)|garde le silence)",
    gestures=r"\b(?:hoche|acquiesce|sourit|souriant|soupire|hausse|rit|regarde|pleure|rougit|hésite|tousse|réfléchit|chuchote|"
    r"murmure|fronce|cligne|incline|embrasse)\b",
    whispers=(
        r"\b(?:chuchot\w*|à voix basse|en privé|en aparté|en secret|à l['’]oreille|à"
        r" (?:elle|lui|soi)-même|"
        r"en confidence|en tête-à-tête|seule?(?:ment)? (?:\S+ ){1,3}?entend)(?!\w)"
    ),
    addressed=(
        rf"(?:{_FRENCH_MANNER}[ ,:]+)*(?:à l['’]oreille"
        r" d(?:e\s|u\s|es\s|['’])|aux?\s|à\s|pour\s)\s*(?P<to>[^:]+?)"
        rf"(?:,?\s+{_FRENCH_MANNER})*"
    ),
    beside=r"\b(?:et|à|aux?|pour|l[ea]s?|une?|du|des?|m(?:on|a|es)|notre|nos|s(?:on|a|es)|c(?:e|et|ette)|ch(?:er|ère)|"
    r"m|mm?e|mlle|monsieur|madame|mademoiselle|docteur|dr|maître)\b\.?|\b[ld]['’]",
)
SPANISH = DirectionPatterns(
    leaving=r"(?:\w+ ){0,3}?(?:se va\b|se marcha\b|se retira\b|irse\W*$|marcharse\W*$|sale\W*$|"
    r"(?:sale (?:de la|del|de)|abandona (?:la|el))"
    r" (?:sala|habitación|tienda|casa|local|conversación|edificio|cocina|café|bar|"
    r"restaurante|oficina|reunión|lugar)\b|cuelga\W*$)",
    silence=r"(?:\w+ ){0,2}?(?:no dice nada|guarda silencio|calla|se queda callad[oa]|silencio)",
    gestures=(
        r"\b(?:asiente|sonríe|suspira|ríe|se"
        r" ríe|mira|llora|duda|piensa|tose|señala|susurra|guiña|saluda|encoge|niega|"
        r"frunce|inclina|abraza)\b"
    ),
    whispers=r"\b(?:susurr\w*|en voz baja|en privado|en secreto|al oído|a sí mism[oa]|para sí|"
    r"en confianza|a solas|s[oó]lo (?:\S+ ){1,4}?(?:oye|oiga|escucha))\b",
    addressed=(
        rf"(?:{_SPANISH_MANNER}[ ,:]+)*(?:al oído"
        rf" del?|al?|para)\s+(?P<to>[^:]+?)(?:,?\s+{_SPANISH_MANNER})*"
    ),
    beside=r"\b(?:y|e|al?|para|el|l[ao]s?|del?|mis?|sus?|nuestr[oa]|querid[oa]|señor(?:a|ita)?|sra?|srta|don|doña|dña|doctora?|dra?)"
    r"\b\.?",
)
CHINESE = DirectionPatterns(
    leaving=(
        r"(?![^，。]*(?:看|望|让|讓|叫|请|請|不|没|沒|想|要|准备|準備|打算|等|差点|如果))[^，。"
        r"]{0,12}?"
        r"(?:离开|離開|离去|離去|离场|離場|离席|退场|退場|走开|走開|走了|走出|转身就?走|轉身就?走|挂断|掛斷|挂了?电话|告辞|拂袖而去)"
    ),
    silence=r"(?:保持)?(?:沉默(?:不语)?|不说话|不說話|一言不发|一言不發|什么也没说|什么都没说|无言|無言)",
    gestures=r"点了?点?头|點了?點?頭|摇了?摇?头|搖了?搖?頭|笑|叹|嘆|耸|聳|看|望|凝视|挥手|揮手|眨|脸红|哭|皱眉|犹豫|沉思|思考|"
    r"咳|指着|鞠躬|拥抱|低头|抬头",
    whispers=r"悄悄|耳语|耳語|私下|私聊|私信|低声对|小声对|偷偷|只有.{1,8}(?:听|聽)|耳边|耳邊|耳畔|附耳|自言自语|自言自語|"
    r"压低声音|壓低聲音|[对對跟向和与與同](?!我(?!的|们|們))[^，。]{1,12}?(?<!来)(?<!來)[说說道讲]",
    addressed=r"(?:悄悄地?|小声地?|低声地?|私下里?|偷偷地?|单独|只|私聊|耳语[:：]?)*"
    r"(?:(?:对|對|跟|向|给|給)着?(?!方)(?P<to>[^:：]+?)(?:悄悄地?|小声地?|低声地?|私下里?|耳语|说道?|說道?)*|"
    r"(?:私聊|私信|仅|只有?|只给|只對)[:："
    r" ]*(?P<to2>[^:：]+?)(?:能|可以?)?(?:听见|听到|聽見|可见)?)",
    beside=rf"[这那這][位个個]|位|(?:我们?|我們)的|亲爱的|親愛的|尊敬的|以及|[和与與跟及对對向]|{CHINESE_TITLES}",
)
JAPANESE = DirectionPatterns(
    leaving=(
        r"(?![^、。]*(?:見|ない|せず|ようと|たい|まま))[^、。"
        r"]{0,12}?(?:立ち去|去る|退出|退室|退場|出て行|出ていく|出て行った|"
        r"帰る|電話を切る|その場を離れる|(?:部屋|店|家)を出(?:る|て))"
    ),
    silence=r"(?:沈黙|黙る|黙って(?:いる)?|何も言わない|無言)",
    gestures=r"うなず|頷|首を(?:横に)?振|微笑|笑|ため息|肩をすくめ|見る|見つめ|手を振|泣|眉|ためら|考え|咳|指さ|お辞儀|抱き|目を",
    whispers=r"小声で|耳打ち|ささや|囁|こっそり|内緒|だけ(?:に)?聞こえ|耳元|独り言|心の中で|二人だけで",
    addressed=r"(?:小声で|こっそり|内緒で)*(?P<to>[^:：]+?)(?:だけ)?(?:に(?:対して|向かって|向けて|だけ)?|へ|のみ|宛て?に?)"
    r"(?:小声で|こっそり|そっと|内緒で|だけ)*(?:ささやく|囁く|耳打ち(?:する)?|言う|話す|伝える|告げる)?",
    beside=r"[そこあ]の|例の|(?:うち|私|僕|俺)の|の(?:方|人|ほう)|[おごと]|さん|様|さま|ちゃん|くん|君|先生|先輩|氏",
)
ARABIC = DirectionPatterns(
    leaving=(
        r"(?!.*(?:\bلا\b|\bلم\b|قبل|يريد|تريد|يشاهد|تشاهد))(?:\w+"
        r" ){0,3}?(?:[يت]?غادر\w*|[يت]رحل\b|[يت]خرج\b|[يت]نصرف\b|مغادرة|"
        r"[يت]نهي المكالمة)"
    ),
    silence=r"(?:صمت|[يت]صمت|لا [يت]قول شيئ\w*|[يت]بقى صامت\w*)",
    gestures=r"[يت]ومئ|[يت]هز|[يت]بتسم|[يت]تنهد|[يت]ضحك|[يت]نظر|[يت]بكي|[يت]تردد|[يت]فكر|[يت]شير|[يت]همس|[يت]لوح|إيماءة|ابتسامة|تنهيدة|ضحكة|نظرة|هزة",
    whispers=r"همس|سر[ًا]{1,2}\b|على انفراد|بيني وبين",
    addressed=(
        rf"(?:{_ARABIC_MANNER}[ ،:]+)*(?:في (?:أذن|اذن)\s|(?:موجه\S* (?:ال)?(?:كلام|حديث)\S*"
        r" )?[إا]لى|"
        rf"مخاطب\S*\s|لـ?)\s*(?P<to>[^:]+?)(?:[،,]?\s+{_ARABIC_MANNER})*"
    ),
    beside=r"\b(?:و?[إا]لى|و?لل?ـ?|[وف]|(?:[وف]?(?:ال|لل))?(?:سيدة?|آنسة|[أا]ستاذة?|دكتورة?|عزيزة?|شيخ|حاجة?|مهندسة?|عمة?|خالة?))\b",
)
EVERYONE_ELSEWHERE = (
    r"(?:alle[nrs]?|allen zusammen|tous|toutes|tout le monde|todos|todas|"
    r"大家|所有人|各位|众人|眾人|全体|全體|他们|她们|みんな|みなさん|皆さん|皆|全員|"
    r"(?:ا?ل)?جميع|ا?لكل)"
)
PRONOUNS_ELSEWHERE = (
    r"(?:他|她|它|您|你|他们|她们|彼|彼女|あなた|ihm|ihr|ihnen|dir|lui|elle|eux|"
    r"él|ella|ellos|ellas|ti)"
)
# What a line begins with that is for somebody: `Zum Käufer: …`, `对买家说：…`, `買い手に：…`.
ADDRESSEE_LABEL_PATTERN = (
    r"(?:(?:[\w\u064b-\u0652]+,?"
    r" ){0,3}(?:zu[mr]?|an|aux?|à|al?|[إا]لى)\s[^\n:：\"“()\[\]]{1,60}|لل?\w{2,20}|"
    r"[^\s:：]{0,6}[对對跟向给給][^\n:：，。]{1,20}|[^\n:：、。"
    r"]{1,20}(?:に|へ)(?:だけ|対して|向かって)?)"
)
# A name-like word after `zu`, `à`, `a`; and up to three letters after `对`.
NAME_LIKE_PATTERN = (
    r"(?:zu"
    r" (?!(?:Hause|Fuß|Recht|Unrecht|Beginn|Anfang|Ende|Tisch|Bett|Mittag|Gott|Boden|Land|"
    r"Weihnachten|Ostern)\b)|"
    r"[àÀ] |a )[A-ZÀ-Þ][^\W\d_]+|[对對](?![此方不了的吧啊呀哦嗯对對着我自])[\u3400-\u9fff]{1,3}|"
    rf"[对對](?:[这那這]位|(?:我们?|我們)的|亲爱的|親愛的)?[\u3400-\u9fff]{{1,4}}?(?:{CHINESE_TITLES})|"
    r"[对對](?:[这那這]位|(?:我们?|我們)的|亲爱的|親愛的)[\u3400-\u9fff]{1,3}|"
    r"zu (?:(?:Herrn?|Frau|Dr\.|Prof\.|Doktor|Professor) )+[A-ZÀ-Þ][^\W\d_]+(?:"
    r" [A-ZÀ-Þ][^\W\d_]+)?|"
    r"[àÀ] (?:(?:M\.|Mme|Mlle|Monsieur|Madame|Mademoiselle|Dr|Docteur|Maître) )[A-ZÀ-Þ][^\W\d_]+(?:"
    r" [A-ZÀ-Þ][^\W\d_]+)?|"
    r"a (?:(?:don|doña|Sra?\.|señora?) )[A-ZÀ-Þ][^\W\d_]+(?: [A-ZÀ-Þ][^\W\d_]+)?"
)
# `(au maire)`, `(zum Chef)`, `(إلى العمدة)`: said to a role. In doubt it is one; these are things,
# places and phrases.
_GERMAN_THINGS = (
    r"Hause|Fuß|Recht|Unrecht|Beginn|Anfang|Ende|Tisch|Bett|Mittag|Gott|Boden|Land|"
    r"Weihnachten|Ostern|Glück|Beispiel|Schluss|"
    r"Fenster|Tür|Seite|Himmel|Spaß|Thema|Teil|Abschied|Erklärung|Sache|Zeit|Ruhe|Hälfte|Not|"
    r"Sicherheit|Wand|Decke|Ausgang|Essen|"
    r"Abendessen|Stirn|Brust|Kasse|Theke|Straße|Küche|Uhr|Sonne|Arbeit|Musik|Probe|Strafe|"
    r"Verfügung|Hand"
)
_FRENCH_THINGS = (
    r"revoir|fond|fait|moins|début|contraire|fenêtre|porte|table|fois|maison|gauche|droite|"
    r"suite|fin|mur|ciel|sol|téléphone|"
    r"passage|besoin|choix|plaisir|moment|milieu|pied|bout|loin|hasard|vue|limite|rigueur|"
    r"longue|place|main|tête|lit|plafond|"
    r"hauteur|cuisine|rue|caisse|même|prochaine|vérité|aise|instant|heure|avance|aide|secours|"
    r"honneur"
)
_SPANISH_THINGS = (
    r"fondo|final|lado|menos|contrario|principio|suelo|cielo|teléfono|rato|día|azar|derecha|"
    r"izquierda|ventana|puerta|mesa|pared|"
    r"vez|larga|fuerza|vista|casa|calle|cocina|cámara|techo|pie|aire|mano|hora|próxima|verdad|"
    r"salida|barra|caja|mar|sol"
)
_ARABIC_THINGS = (
    r"حد|الأبد|اليسار|اليمين|الأمام|الوراء|الخلف|الباب|النافذة|الأرض|السماء|الأعلى|الأسفل|ذلك|"
    r"هنا|هناك|الآن|اليوم|الغد|البيت|المنزل|"
    r"السوق|اللقاء|الداخل|الخارج|الطاولة|الساعة|الجدار|السقف|أين|متى|درجة|جانب"
)
_JAPANESE_THINGS = (
    r"先|一緒|急|静か|窓|ドア|扉|床|空|外|中|上|下|右|左|前|後ろ|横|机|椅子|次|最後|最初|特|本当|すぐ|時|家|店|部屋|壁|奥|遠く|近く|手|目|耳|口|頭|"
    r"代わり|ついで|確か|明らか|正直|残念|別|逆|常|既|互い|同時|一気|勝手|無言|自然|不意|そこ|ここ|どこ"
)
TO_ROLE_PATTERNS = (
    (
        r"(?:zum|zur|(?:nur )?(?:an|für) (?:d(?:en|ie|as)|[msd]?eine[nrm]?|ihre[nrm]?))"
        rf" (?!(?:{_GERMAN_THINGS})\b)[A-ZÄÖÜ]\w+"
    ),
    rf"(?:[Aa]ux?|[Àà] l(?:a|['’])|[Àà] (?:mon|ma|mes|son|sa|ses)|[Pp]our"
    rf" (?:l(?:e|a|es|['’])|mon|ma|mes|son|sa|ses)) ?"
    rf"(?!(?:{_FRENCH_THINGS})\b)\w+(?: \w+)?",
    (
        r"(?:[Aa]l|[Aa] (?:las?|los|mis?|sus?)|[Pp]ara (?:el|las?|los|mis?|sus?))"
        rf" (?!(?:{_SPANISH_THINGS})\b)\w+(?: \w+)?"
    ),
    rf"(?:(?:إلى|الى) (?!(?:{_ARABIC_THINGS})\b)|لل)[\u0600-\u06ff]+(?: [\u0600-\u06ff]+){{0,2}}",
    rf"(?!(?:{_JAPANESE_THINGS})(?:に|へ))[\u30a0-\u30ff\u3400-\u9fffー]{{1,8}}(?:さん|様|ちゃん|"
    rf"くん)?(?:だけ)?(?:に(?:だけ)?|へ)",
    rf"(?!(?:{_JAPANESE_THINGS}|[そこあ]れ|鏡)(?:に|へ|だけ))[\u3040-\u30ff\u3400-\u9fffー]{{1,10}}"
    r"(?:(?:さん|様|さま|ちゃん|くん|先生)(?:に|へ)|(?:だけ|のみ)に|にだけ|に(?:対して|向かって))",
    r"[给給](?![你我他她了过過钱錢票出力])[\u3400-\u9fff]{2,4}",
)
# What follows somebody who is named, in those: `(zum Chef und seinem Fahrer)`.
MORE_ADDRESSEES = r"(?:(?: (?:und|et|y|e)\b|[,、，،;]| و).*)?"
OTHER_LANGUAGES = (GERMAN, FRENCH, SPANISH, CHINESE, JAPANESE, ARABIC)
MANNERS_PATTERN = (
    rf"(?:(?:{_GERMAN_MANNER}|{_FRENCH_MANNER}|{_SPANISH_MANNER}|{_ARABIC_MANNER})[ ,،:]+)+"
)
