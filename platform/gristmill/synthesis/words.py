"""Words that a child of three or four understands, and the names that exercises use.

TinyStories (Eldan & Li 2023, section 2) draws a verb, a noun and an adjective from about 1,500 such words. These lists
are our own, shorter, and chosen so that a word is used in its own part of speech without doubt.
"""

# ruff: noqa: E501 - lists of words, wide
from __future__ import annotations


def listed(words: str) -> tuple[str, ...]:
    """Words separated by blanks."""
    return tuple(words.split())


VERBS = listed("""
ask bake blow bounce break bring brush build buy call carry catch chase cheer clap clean climb close cook count cover crawl cry cut
dance dig dive drag draw dream drink drive drop eat fall feed feel fetch fill find fix float fly fold follow forget forgive gather give
greet grow guess hang hear help hide hold hop hug hunt hurry invite jump keep kick kiss knock laugh lead learn leave lick lift listen
look lose make march meet melt miss mix move nap open pack paint pick plant play point polish pour pretend promise pull push rake reach
read repair rescue rest ride ring rinse roar roll row rub run sail save scream search see sell send sew shake share shine shout show sing sit
skate skip sleep slide smell smile sneak sneeze solve splash squeeze stack stand stir stop stretch swap sweep swim swing taste teach tear tell thank
throw tickle tie touch trade travel trip try tumble visit wait wake walk wash watch water wave wear whisper whistle win wipe wish wonder work wrap write yawn yell zip
""")

NOUNS = listed("""
acorn airplane ant apple baby bag baker ball balloon banana basket bat bath beach bead bean bear bed bee beetle bell bench bicycle bird blanket block
boat book boot bottle bowl box branch bread bridge broom brush bubble bucket bug bus bush butter butterfly button cage cake camel candle
candy cap car carrot castle cat cave chair cheese cherry chicken chimney clock cloud clown coat coin cookie corn cow crab crayon crown cup curtain
deer desk dinosaur dish doctor dog doll dolphin donkey door dragon dress drum duck eagle egg elephant elevator engine fairy farm farmer feather fence
field fire fish flag flower fly forest fork fountain fox friend frog garden gate ghost gift giraffe glove goat goose grandma grandpa
grape grass guitar hammer hammock hat hen hill honey horse hose house ice island jacket jam jar kangaroo kettle key king kitchen kite kitten knight ladder
lake lamb lamp leaf lemon letter library lion lizard log map marble market mask mirror mitten monkey moon mop mountain mouse mud
mushroom nail neighbor nest net noodle nose nurse nut ocean onion orange oven owl paint painter pan parade parrot pea peach pear pebble pen pencil penguin
piano pie pig pillow pilot pirate pizza plane plant plate pocket pond pony potato prince princess pumpkin puppet puppy purse puzzle queen rabbit raft
rain rainbow ring river road robot rock rocket roof room rope rose sand sandwich scarf school seed shadow shark sheep shell ship shirt shoe shop
shovel sister snail snake snow soap sock soup spider spoon squirrel stamp star statue stick stone storm strawberry street sun swan swing table tail teacher
teapot tent thief thunder tiger toad toast tomato tooth towel tower town toy tractor train treasure tree truck trumpet tunnel turtle umbrella
vase village wagon wall watermelon wave whale wheel whistle wind window wing witch wolf wood worm yarn zebra zoo
""")

ADJECTIVES = listed("""
afraid angry anxious asleep awake bad beautiful big bitter black blue bored brave bright broken brown busy calm careful cheap cheerful clean clever clumsy
cold colorful comfortable cool cozy crazy creamy crooked curious cute dark dead deep delicious different dirty dry dull dusty early easy
empty excited fair famous fancy fast fat fierce filthy fit fluffy foolish fresh friendly full funny furry generous gentle giant glad gloomy
golden good gray great greedy green grumpy happy hard harmless healthy heavy helpful helpless high hollow honest hot huge humble hungry icy
impatient important impressive incredible intelligent interesting itchy jealous jolly joyful kind large lazy light little lively lonely long
lost loud lovely low lucky mad magical massive mean messy mighty miserable muddy mysterious naughty neat nervous new nice noisy old orange
ordinary patient peaceful perfect pink playful pleasant polite poor powerful precious pretty proud pure purple quick quiet rare red
reliable restless rich ripe rotten rough round rude sad safe salty scared scary selfish shallow sharp shiny short shy sick silent
silly silver simple sleepy slippery slow small smart smelly smooth soft sorry sour special spicy spotted square stormy strange
striped strong stubborn sunny sweet tall tame tasty thick thin thirsty tidy tiny tired tough troubled ugly unhappy unusual useful
warm weak wealthy wet white wide wild wise wonderful wooden worried yellow young yummy
""")

FEATURES: dict[str, str] = {
    "dialogue": "The story should contain at least one dialogue.",
    "plot twist": "Something unexpected should happen in the story.",
    "bad ending": "The story should have a sad ending.",
    "moral value": "The story should teach a lesson.",
    "foreshadowing": "Something early in the story should hint at what happens later.",
    "conflict": "Somebody in the story should have a quarrel or a problem.",
}
"""TinyStories' six features, and how a prompt asks for them."""

OPENINGS = (
    "One day, {hero} saw {thing}.",
    "Once upon a time there was {thing}. {hero} liked to look at it.",
    "{hero} had {thing}.",
    "In the morning, {hero} found {thing}.",
    "On a rainy day, {hero} drew {thing}.",
    "Last night, {hero} dreamed of {thing}.",
    "Behind the house, {hero} saw {thing}.",
    "{hero} wanted to have {thing}.",
)

NAMES = listed("""
Ada Amir Anna Ben Bruno Carla Chen Clara Dana David Elena Emil Fatima Felix Grace Hana Hugo Ines Ivan Jana Jonas Julia Kofi Lars Leila Lena Leo Lina Lucas Maya
Mia Milan Nadia Nils Noah Nora Olga Omar Oscar Paula Pavel Priya Rosa Sam Sara Sofia Tariq Tessa Theo Uma Vera Victor Wanda Yara Yusuf Zoe
""")


def forms(word: str) -> frozenset[str]:
    """Spellings under which a required word counts as used: itself and its regular and listed irregular inflections."""
    found = {
        word,
        word + "s",
        word + "es",
        word + "ed",
        word + "ing",
        word + "er",
        word + "est",
        word + "ly",
        word + "'s",
        *IRREGULAR.get(word, "").split(),
    }
    if word.endswith("e"):
        found |= {word + "d", word[:-1] + "ing", word + "r", word + "st", word[:-1] + "y"}
    if word.endswith("y"):
        found |= {word[:-1] + ending for ending in ("ies", "ied", "ier", "iest", "ily")}
    if word.endswith("f"):
        found.add(word[:-1] + "ves")
    if len(word) > 2 and word[-1] not in "aeiouwxy" and word[-2] in "aeiou" and (word[-3] not in "aeiou" or word[-3:-1] == "ui"):
        found |= {word + word[-1] + ending for ending in ("ed", "ing", "er", "est", "y")}
    return frozenset(found)


IRREGULAR: dict[str, str] = {
    "blow": "blew blown",
    "break": "broke broken",
    "bring": "brought",
    "build": "built",
    "buy": "bought",
    "catch": "caught",
    "cut": "cutting",
    "dig": "dug",
    "dive": "dove",
    "draw": "drew drawn",
    "dream": "dreamt",
    "drink": "drank drunk",
    "drive": "drove driven",
    "eat": "ate eaten",
    "fall": "fell fallen",
    "feed": "fed",
    "feel": "felt",
    "find": "found",
    "fly": "flew flown flies",
    "forget": "forgot forgotten",
    "forgive": "forgave forgiven",
    "give": "gave given",
    "grow": "grew grown",
    "hang": "hung",
    "hear": "heard",
    "hide": "hid hidden",
    "hold": "held",
    "keep": "kept",
    "lead": "led",
    "learn": "learnt",
    "leave": "left",
    "lose": "lost",
    "make": "made",
    "meet": "met",
    "ride": "rode ridden",
    "ring": "rang rung",
    "run": "ran",
    "see": "saw seen",
    "sell": "sold",
    "send": "sent",
    "sew": "sewn",
    "shake": "shook shaken",
    "shine": "shone",
    "show": "shown",
    "sing": "sang sung",
    "sit": "sat",
    "sleep": "slept",
    "slide": "slid",
    "smell": "smelt",
    "sneak": "snuck",
    "stand": "stood",
    "sweep": "swept",
    "swim": "swam swum",
    "swing": "swung",
    "teach": "taught",
    "tear": "tore torn",
    "tell": "told",
    "throw": "threw thrown",
    "tie": "tying",
    "wake": "woke woken",
    "wear": "wore worn",
    "win": "won",
    "write": "wrote written",
    "deer": "deer",
    "goose": "geese",
    "knight": "knights",
    "leaf": "leaves",
    "mouse": "mice",
    "sheep": "sheep",
    "thief": "thieves",
    "tooth": "teeth",
    "wolf": "wolves",
    "bad": "worse worst",
    "good": "better best",
    "mad": "madder",
    "gentle": "gently",
    "simple": "simply",
    "humble": "humbly",
    "comfortable": "comfortably",
    "miserable": "miserably",
    "easy": "easily",
    "magical": "magically magic",
}
"""Verbs, nouns and adjectives of the lists above that do not follow the rules."""
