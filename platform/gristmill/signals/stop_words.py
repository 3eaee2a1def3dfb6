"""Function words of five languages in plain form (see `redpajama`): articles, pronouns, prepositions, conjunctions, auxiliaries."""

from __future__ import annotations

_EN = """
a about above after again against all also although am an and another any are as at be because been before being below between both
but by can cannot cant could did didnt do does doesnt doing dont down during each either every few for from further had has have
having he her here hers herself him himself his how however i if im in into is isnt it its itself just may me might mine more most
much must my myself neither no nor not of off on once only onto or other our ours ourselves out over own same shall she should since
so some such than that thats the their theirs them themselves then there these they this those though through to too toward towards
under until unto up upon us very was wasnt we were werent what when where whether which while who whom whose why will with within
without wont would wouldnt yet you your yours yourself yourselves
"""

_DE = """
ab aber alle allem allen aller alles als also am an andere anderen auch auf aus bei beim bin bis bist da damit dann das dass dein
deine dem den denn der des dich die dies diese diesem diesen dieser dieses dir doch dort du durch ein eine einem einen einer eines er
es etwas euch euer für gegen gewesen hab habe haben hat hatte hatten hier hin hinter ich ihm ihn ihnen ihr ihre ihrem ihren ihrer im
in indem ins ist ja jede jedem jeden jeder jedes jene kann kein keine keinem keinen keiner können könnte man manche mehr mein meine
meinem meinen meiner mich mir mit muss müssen nach nicht nichts noch nun nur ob oder ohne schon sehr sein seine seinem seinen seiner
seit selbst sich sie sind so solche soll sollte sondern sonst um und uns unser unsere unter viel vom von vor war waren was weil welche
welcher wenn wer werde werden wie wieder will wir wird wo wurde wurden während zu zum zur zwar zwischen über
"""

_FR = """
afin ai ainsi alors après as au aucun aucune aussi autre autres aux avaient avait avant avec avez avoir avons car ce ceci cela celle
celles celui cependant ces cest cet cette ceux chaque chez ci comme comment contre dans de depuis des donc dont du dun dune dès elle
elles en encore entre es est et eu eux faire fait fut ici il ils jai je jusque la le les leur leurs lon lorsque lui là ma mais me mes
moi moins mon même mêmes ne nest ni non nos notre nous on ont ou où par parce pas pendant peu peut plus pour pourquoi puis qu quand
que quel quelle quelles quels qui quil quils quoi quon sa sans se selon sera ses sest si sien soi soit son sont sous suis sur ta
tandis te tes toi ton tous tout toute toutes très tu un une va vers voici voilà vos votre vous y à étaient était été être
"""

_ES = """
a al algo alguna algunas alguno algunos ante antes aquel aquella aquellas aquellos aquí así aunque aún bajo bien cada casi como con
contra cual cuales cuando cuál cuándo cómo de del desde donde durante dónde e el ella ellas ellos en entre era eran eres es esa esas
ese eso esos esta estar estas este esto estos está están fue fueron ha había habían han hasta hay he la las le les lo los me mi
mientras mis mucho muy más mí nada ni no nos nosotros nuestra nuestras nuestro nuestros o os otra otras otro otros para pero poco por
porque pues que quien quienes quién qué se sea según ser si sido siempre sin sino sobre son soy su sus suya suyo sí también tampoco
tan tanto te ti tiene tienen toda todas todo todos tu tus tú un una unas uno unos usted ustedes y ya yo él
"""

_IT = """
a ad agli ai al alla alle allo allora altra altre altri altro anche ancora avere aveva avevano c cera che chi ci ciò coi col come con
così cui cè da dagli dai dal dalla dalle dallo degli dei del dell della dellaltro delle dello dentro di dopo dove due e ed era erano
essere fino fra fu già gli ha hai hanno ho i il in io la le lei lha lho li lo loro là ma me mentre mi mia mie miei mio molto ne negli
nei nel nella nelle nello no noi non nostra nostre nostri nostro o ogni oppure per perché più poco poi prima proprio qua qual quale
quali quando quanto quasi quella quelle quelli quello questa queste questi questo qui se sei sempre senza si sia siamo siete solo sono
sopra sotto stata state stati stato su sua sue sugli sui sul sulla sulle suo suoi sì tra tu tua tue tuo tuoi tutta tutte tutti tutto
un una uno vi voi vostra vostro è
"""

STOP_WORDS: dict[str, frozenset[str]] = {
    "de": frozenset(_DE.split()),
    "en": frozenset(_EN.split()),
    "es": frozenset(_ES.split()),
    "fr": frozenset(_FR.split()),
    "it": frozenset(_IT.split()),
}
"""Language (ISO 639-1) -> words."""
