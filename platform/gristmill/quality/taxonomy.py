"""Topic taxonomies: names, and sentences that are typical of each topic.

`weborganizer` holds the 24 topics of WebOrganizer (Wettig et al. 2025, "Organize the Web: Constructing Domains Enhances
Pre-Training Data Curation", arXiv 2502.10341). The topics and what belongs to each are theirs; the sentences are ours: an
embedder finds a document's topic by what it is near to, so they are written as such pages speak.
"""

from __future__ import annotations

import difflib

from gristmill.errors import RecipeError

VERSION = "1"

WEBORGANIZER: dict[str, tuple[str, ...]] = {
    "adult": (
        "Explicit sexual content for adults only.",
        "You must be over eighteen to enter this erotic site with nude photos and videos.",
        "An erotic story about a passionate night.",
    ),
    "art_and_design": (
        "A painter, a sculptor and the style of their works in the gallery's exhibition.",
        "The architecture of the building, its facade and its interior design.",
        "Typography, colour, illustration and composition for graphic designers.",
        "Photography as an art: light, lenses and portraits.",
    ),
    "crime_and_law": (
        "The police arrested a suspect after the robbery and the investigation continues.",
        "The court ruled on the appeal; the judge cited the statute and the defendant's rights.",
        "Criminal law, prosecution, evidence and sentencing.",
        "A lawyer explains contracts, liability and what the law says.",
    ),
    "education_and_jobs": (
        "How schools teach: pedagogy, curriculum, classrooms and teacher training.",
        "Apply for admission to the university; degree programmes, scholarships and student life.",
        "Job vacancies, how to write a resume and prepare for an interview.",
        "Professional certification courses and career advice.",
    ),
    "electronics_and_hardware": (
        "Computer hardware: processors, graphics cards, memory and hard drives compared.",
        "Review of a smartphone's screen, battery and camera.",
        "An electronic circuit with a microcontroller, resistors and sensors.",
        "Televisions, headphones, printers and other consumer electronics.",
    ),
    "entertainment": (
        "A review of the new film, its actors and its director.",
        "The band releases an album and announces a concert tour.",
        "Celebrity news, television series and what happened in the last episode.",
        "Jokes, comedy shows, comics and nightlife.",
    ),
    "fashion_and_beauty": (
        "Clothing, dresses and shoes for the season, and how to combine them.",
        "Make-up, skin care, hair styling and cosmetics.",
        "Jewellery, watches, handbags and accessories from the designer's collection.",
    ),
    "finance_and_business": (
        "The company reported revenue and profit for the quarter; its shares rose.",
        "How to invest, save for retirement and lower your taxes.",
        "Insurance, mortgages, credit cards and bank accounts.",
        "Marketing strategy, management, customers and starting a small business.",
    ),
    "food_and_dining": (
        "A recipe: mix the flour, butter and eggs, then bake for thirty minutes.",
        "A restaurant review: the menu, the dishes and the wine.",
        "Coffee, beer, groceries and cooking at home.",
    ),
    "games": (
        "A video game with levels, enemies and weapons for the player to choose.",
        "Rules of a board game, chess openings and card games for several players.",
        "Online casino, poker and betting.",
        "Walkthrough, characters and multiplayer mode of the role-playing game.",
    ),
    "health": (
        "Symptoms, diagnosis and treatment of the disease; ask your doctor.",
        "Mental health, therapy, anxiety and depression.",
        "Nutrition, vitamins, diet and well-being.",
        "Medicine, hospital patients, vaccines and side effects of drugs.",
    ),
    "history_and_geography": (
        "The war, the king and the empire in the eighteenth century.",
        "Archaeologists excavated an ancient city and its temples.",
        "The country's rivers, mountains, population and provinces.",
        "A biography of a historical figure and the events of that age.",
    ),
    "home_and_hobbies": (
        "How to plant, water and prune vegetables and flowers in the garden.",
        "Furniture, kitchen appliances and repairs about the house.",
        "Caring for your dog or cat; toys, knitting, collecting and other hobbies.",
        "A house for sale or rent with three bedrooms; moving to a new home.",
    ),
    "industrial": (
        "Mining, steel, chemicals and raw materials for industry.",
        "Machines and equipment for factories: pumps, valves, welding and manufacturing.",
        "Farming, crops, livestock and agricultural machinery.",
        "Construction materials, power plants and utilities.",
    ),
    "literature": (
        "A critical essay on the novel, its characters, its themes and its author.",
        "A poem: its metre, its rhyme and what it means.",
        "A play in five acts, with scenes, speeches and stage directions.",
        "Philosophy, linguistics and the study of language and rhetoric.",
    ),
    "politics": (
        "The election campaign, the parties, the president and the parliament.",
        "Protest, activism, human rights and social justice.",
        "Capitalism, socialism, anarchism, the state and liberty debated.",
        "Foreign policy, diplomacy, immigration law and the government's legislation.",
    ),
    "religion": (
        "God, prayer, faith, scripture and the church.",
        "A sermon on a verse of the Bible; the Lord said unto his people.",
        "Islam, Buddhism, Hinduism, Judaism and their teachings.",
        "Spirituality, meditation, the soul and salvation.",
    ),
    "science_math_and_technology": (
        "A theorem, its proof, and the equation's solution; integrals, matrices and polynomials.",
        "Physics and chemistry: energy, particles, molecules and reactions measured in an experiment.",
        "Biology, genes, species, evolution and the environment.",
        "Statistics, engineering, probability distributions and scientific computing.",
    ),
    "social_life": (
        "Family, friends, marriage and how people get along.",
        "Dating advice, relationships, love and breaking up.",
        "A personal diary of everyday life, children and the neighbourhood community.",
    ),
    "software": (
        "How to install the program, change its settings and use its menus.",
        "Configure the operating system, its packages, users, backups and network.",
        "A guide for users of an application, a browser, a website or e-mail.",
        "Server administration: monitoring, security updates, passwords and firewalls.",
    ),
    "software_development": (
        "Source code with functions, classes, types and modules, and the API reference of a library.",
        "def, return, import, self, raise: a Python module with its docstrings and tests.",
        "How to write a program: compilers, algorithms, data structures and debugging.",
        "SQL queries, database schemas, web frameworks and developers' documentation.",
        "The method takes parameters and returns an object; arguments and exceptions are listed below.",
    ),
    "sports_and_fitness": (
        "The team won the match; the player scored a goal in the second half.",
        "Training plans for running, strength and fitness at the gym.",
        "Football, tennis, cycling, motor sports and martial arts championships.",
        "Outdoor activities such as hiking, fishing and skiing, and the gear for them.",
    ),
    "transportation": (
        "A car's engine, its price, its fuel consumption and a test drive.",
        "Trains, buses, traffic and commuting in the city.",
        "Airlines, aircraft, ships, freight and logistics.",
    ),
    "travel_and_tourism": (
        "Hotels, beaches and sights for your holiday; book a tour.",
        "A travel guide for tourists: what to see, where to stay and how to get there.",
        "Cruises, resorts, flights and luggage.",
    ),
}

TAXONOMIES: dict[str, dict[str, tuple[str, ...]]] = {"weborganizer": WEBORGANIZER}


def taxonomy(name: str) -> dict[str, tuple[str, ...]]:
    """Topic -> its sentences; RecipeError naming the nearest taxonomy when there is none of that name."""
    if name not in TAXONOMIES:
        close = difflib.get_close_matches(name, TAXONOMIES, 1, 0.4) or sorted(TAXONOMIES)
        raise RecipeError(f"unknown taxonomy {name!r}; did you mean {close[0]!r}?", where="quality.taxonomy")
    return TAXONOMIES[name]
