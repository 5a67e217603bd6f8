"""Texts in other languages, and English of unusual kinds."""

FOREIGN = {
    "German": (
        "Er sagte, dass dies der schönste Tag sei und dass er ihn nicht vergessen werde, denn die "
        "Sonne schien auf das Dach und von weit her klang eine Glocke."
    ),
    "French": (
        "Il a dit que c'était le plus beau jour de sa vie et qu'il ne l'oublierait pas, car le "
        "soleil brillait sur les toits et une cloche sonnait dans la ville."
    ),
    "Spanish": (
        "Dijo que era el mejor día de su vida y que no lo olvidaría nunca, porque el sol brillaba "
        "sobre los tejados y una campana sonaba en la ciudad."
    ),
    "Italian": (
        "Disse che era il giorno più bello della sua vita e che non lo avrebbe mai dimenticato, "
        "come il sole che brillava sopra la casa e una campana di bronzo."
    ),
    "Portuguese": (
        "Ele disse que era o melhor dia da sua vida e que não o esqueceria, como o sol que "
        "brilhava para os telhados da cidade e uma torre das mais altas."
    ),
    "Dutch": (
        "Hij zei dat het de mooiste dag van zijn leven was en dat hij die niet zou vergeten, want "
        "de zon scheen op het dak en er klonk een klok."
    ),
    "Polish": (
        "Powiedział, że to był najlepszy dzień i że się nie powtórzy, bo słońce stało tylko na "
        "chwilę, jak zegar, ale już po południu co godzinę padał deszcz."
    ),
    "Turkish": (
        "Bu onun için çok güzel bir gündü ve daha sonra bunu unutmadı, ama evin önünde ne bir ses "
        "vardı ne de bir ışık, gece gibi karanlık olarak kaldı."
    ),
    "Scandinavian": (
        "Han sa att det var den bästa dagen och att han inte kunde glömma den, som solen över "
        "taken, men en klocka slog på kvällen och jag är här med det."
    ),
    "unknown": (
        "Kungsgatan żółć größer Ærø mañana čeština süßer Übung où kääntyä gyűjtő țară łąka Dvořák "
        "Škoda garçon niño crème fête naïve über."
    ),
    "German in part": (
        "It was the best of all the days in his life and he knew that. Aber er sagte, dass es "
        "nicht der Tag war, und die Sonne ist auf dem Haus, das sie mit ihm baute."
    ),
}

UNUSUAL = {
    "recipe": (
        "HOW TO MAKE: Beans Ingredients: 10 cans pinto beans 8 ounces el pato green sauce 12 "
        "ounces el pato yellow sauce 1 bunch cilantro 1 med onion 2 med peppers 1 med lemon."
    ),
    "list": (
        "Milk. Eggs. Flour. Sugar. Coffee beans. Olive oil. Crème fraîche. Jalapeño peppers. "
        "Paper towels. Dish soap. Batteries. Cat food. Apples. Rice. Black tea. Candles. Bread. "
        "Honey."
    ),
    "headlines": (
        "Senate Passes Budget Bill After Long Debate. Markets Rise. Storm Hits Coast, Thousands "
        "Flee. Mayor Denies Charges. Scientists Discover Distant Planet. Team Wins Third Title."
    ),
    "dialogue": (
        '"Going?" "Going where?" "Home. Now." "Fine. Bye." "Wait!" "What?" "Keys." "Oh. Thanks, '
        'Ben." "Drive safe, man." "Sure will. Night, Jo." "Night." "Love you." "Same."'
    ),
    "names": (
        "In Rio de Janeiro, Ludwig van der Berg and Maria del Carmen de la Cruz met the sons of "
        "the late Vicente de los Santos, who had come from El Paso for the opening of La Scala."
    ),
    "units": (
        "They said that each pill had 50 μg of it and that a hair is 70 μm wide, which no one in "
        "the room had known before, but that was not what we were there for that night."
    ),
}
