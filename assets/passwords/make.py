#!/usr/bin/env python3
"""Writes common.txt: passwords of fifteen characters and more that people who guess try first.

    python3 assets/passwords/make.py

The lists of passwords that were found in the open have few of this length: most of them are short ones that a rule of
length made longer. So this makes them as people do: what is common written twice, with digits behind it, behind another
one, after `this is my`; walks over the keyboard; counting; and sentences that everybody knows. What is common and short
is not in here: the crate zxcvbn has 30 000 of those.

Entries are folded as `auth/passwords/judge` folds what it looks up: small letters and digits alone.
"""

import itertools
import pathlib
import unicodedata

LEAST, MOST = 15, 40

WORDS = """
password passwort motdepasse contrasena parola wachtwoord senha haslo lozinka salasana qwerty qwertyuiop qwertz azerty
asdfgh asdfghjkl zxcvbnm qazwsx abc123 abcd1234 a1b2c3 pass pass123 passw0rd p4ssw0rd letmein iloveyou ichliebedich tequiero
jetaime teamo welcome willkommen bienvenue monkey dragon football soccer baseball basketball hockey sunshine princess master
shadow superman batman spiderman starwars pokemon naruto minecraft killer hello hallo bonjour secret geheim admin
administrator login changeme default computer internet whatever freedom forever flower summer winter spring autumn
butterfly chocolate cookie cheese banana orange diamond angel lovely family mother daddy jesus jesuschrist ferrari porsche
mercedes liverpool chelsea arsenal juventus barcelona realmadrid manchester bayern galatasaray forum member guest test
testing user root system server website facebook google samsung trustno1 access money hunter ranger thunder tigger
ginger pepper purple rainbow silver matrix phoenix mustang corvette yankees cowboys steelers
""".split()

NAMES = """
michael jennifer thomas jessica daniel andrew joshua matthew robert ashley nicole amanda charlie jordan michelle anthony
william george samantha alexander alexandra christian christopher stephanie patrick richard melissa elizabeth victoria
jonathan benjamin nicholas martin andrea sandra claudia stefan andreas sebastian marcel florian pierre nathalie camille
antonio alejandro carlos francesco giuseppe natasha ekaterina sarah laura maria anna peter david james
""".split()

PHRASES = """
correct horse battery staple | to be or not to be | to be or not to be that is the question | may the force be with you |
the quick brown fox | the quick brown fox jumps over the lazy dog | never gonna give you up | let me in please | open sesame
please | this is my password | this is not my password | this is a password | this is a secret | this is a long password |
my password is password | my password is secret | my secret password | my new password | my super secret password |
i forgot my password | i hate passwords | i hate my password | i dont know my password | what is my password |
password is my password | super secret password | very secret password | very long password | a very long password |
a strong password | strong password | the best password | best password ever | no password needed | no more passwords |
another password | new password please | please let me in | just let me in | let me in right now | i love you forever |
i love you so much | i love you very much | i love you baby | i love my family | i love my mother | i love my children |
i love my husband | i love my wife | i love my cat | i love my dog and cat | i miss you so much | love you to the moon and back |
i am the best in the world | i am your father | luke i am your father | live long and prosper | winter is coming |
winter is coming soon | you shall not pass | one ring to rule them all | my precious ring | elementary my dear watson |
houston we have a problem | life is like a box of chocolates | hasta la vista baby | im gonna make him an offer |
there is no place like home | theres no place like home | hakuna matata hakuna | supercalifragilisticexpialidocious |
supercalifragilistic | antidisestablishmentarianism | carpe diem carpe | cogito ergo sum | veni vidi vici |
lorem ipsum dolor | lorem ipsum dolor sit amet | in the beginning | in god we trust | jesus is my savior | jesus loves me |
god is love forever | god bless america | for god so loved the world | the lord is my shepherd | hail mary full of grace |
our father who art in heaven | let it be let it be | all you need is love | we are the champions | we will rock you |
dont worry be happy | another brick in the wall | stairway to heaven | highway to hell | hotel california |
smells like teen spirit | bohemian rhapsody | bad moon rising tonight | never say never again | never give up |
never ever give up | keep calm and carry on | carry on my wayward son | live laugh love | live love laugh | peace love and happiness |
peace and love | one two three four | one two three four five | one two three four five six | a b c d e f g h i j k l m n o |
abcdefghijklmnopqrstuvwxyz | zyxwvutsrqponmlkjihgfedcba | abcdefghijklmno | abcdefghijklmnop | the answer is 42 |
the meaning of life | the meaning of life is 42 | so long and thanks for all the fish | dont panic dont panic |
all your base are belong to us | resistance is futile | i am iron man | with great power comes great responsibility |
why so serious joker | i will be back | ill be back soon | say hello to my little friend | heres looking at you kid |
show me the money | manchester united | manchester city | liverpool football club | you will never walk alone |
youll never walk alone | real madrid | real madrid cf | fc barcelona | visca el barca | forza juventus | forza italia |
bayern muenchen | fc bayern muenchen | borussia dortmund | galatasaray | dallas cowboys | pittsburgh steelers |
new york yankees | new york city | san francisco | los angeles | united states | united states of america | great britain |
deutschland ueber | viva la france | vive la france | viva mexico cabrones | happy birthday to you | merry christmas |
merry christmas everyone | happy new year | trick or treat | twinkle twinkle little star | mary had a little lamb |
once upon a time | once upon a time in america | a long time ago in a galaxy | good morning | good morning vietnam |
good night moon | how are you today | hello my name is | hello world program | hello world hello | knock knock whos there |
administrator password | default password | root password | database password | server password | windows password |
wifi password | email password | facebook password | google password | forum password | temporary password |
change me please | change me now please | change this password | please change me | test test test test | testing testing |
testing one two three | asdf asdf asdf asdf | mein geheimes passwort | mein passwort | das ist mein passwort |
dies ist mein passwort | ich habe kein passwort | ich liebe dich | ich liebe dich sehr | ich liebe dich fuer immer |
ich liebe meine familie | passwort vergessen | passwort passwort | kein passwort noetig | geheimes passwort |
sesam oeffne dich | hallo welt hallo | guten morgen | guten tag zusammen | mon mot de passe | mot de passe oublie |
je suis le meilleur | je taime mon amour | je taime pour toujours | bonjour tout le monde | mi contrasena |
esta es mi contrasena | mi contrasena secreta | te quiero mucho | te amo mucho mucho | te amo para siempre |
hola mundo hola | la mia password | ti amo per sempre | ciao mondo ciao | minha senha secreta | eu te amo muito |
amor da minha vida | moje haslo | moje tajne haslo | kocham cie bardzo | ik hou van jou | mijn wachtwoord |
""".replace("\n", " ").split("|")

ROWS = ["1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "yxcvbnm", "azertyuiop", "qsdfghjklm", "wxcvbn"]
COLUMNS = ["1qaz", "2wsx", "3edc", "4rfv", "5tgb", "6yhn", "7ujm", "8ik", "9ol", "0p"]
QWERTZ_COLUMNS = ["1qay", "2wsx", "3edc", "4rfv", "5tgb", "6zhn", "7ujm", "8ik", "9ol", "0p"]

ENDINGS = [
    "0", "1", "2", "3", "7", "9", "00", "01", "07", "10", "11", "12", "13", "21", "22", "23", "42", "69", "77", "88", "99", "000",
    "007", "100", "111", "123", "321", "333", "360", "420", "555", "666", "777", "888", "911", "999", "1111", "1212", "1234",
    "2000", "4321", "6969", "7777", "9999", "12345", "54321", "11111", "123123", "123456", "654321", "111111", "121212",
    "1234567", "7654321", "7777777", "12345678", "87654321", "11111111", "123123123", "123456789", "987654321",
    "1234567890", "0123456789", "0987654321", "abc", "abc123", "qwerty", "qwerty123", "abcd1234", "asdf", "asdfgh",
] + [str(year) for year in range(1950, 2031)]


def folded(text):
    text = unicodedata.normalize("NFKC", text).lower()
    return "".join(sign for sign in text if sign.isalnum())


def walks():
    """Counting, alphabets and ways over the keyboard, of each length that people stop at."""
    endless = ["1234567890" * 5, "0123456789" * 5, "9876543210" * 5, "0987654321" * 5]
    endless += ["123456789" * 5, "12345678" * 6, "1234567" * 7, "123456" * 8, "12345" * 9, "1234" * 11, "123" * 14, "321" * 14]
    endless += ["987654321" * 5, "654321" * 8, "54321" * 9, "4321" * 11, "147258369" * 5, "159357" * 8, "789456123" * 5]
    endless += ["112233445566778899" * 3, "11223344" * 6, "102030405060708090" * 3, "3141592653589793238462643383279502884197"]
    endless += [a * 40 for a in "abcdefghijklmnopqrstuvwxyz0123456789"]
    endless += [(a + b) * 20 for a in "0123456789" for b in "0123456789" if a != b]
    endless += [pair * 20 for pair in ["ab", "xy", "qw", "as", "zx", "ha", "he", "la", "lo", "na", "da", "bla", "abc", "xyz", "qwe", "asd", "zxc", "wow"]]
    endless += ["abcdefghijklmnopqrstuvwxyz" * 2, "zyxwvutsrqponmlkjihgfedcba" * 2, "a1b2c3d4e5f6g7h8i9j0" * 2, "1a2b3c4d5e6f7g8h9i0j" * 2]
    for columns in (COLUMNS, QWERTZ_COLUMNS):
        endless += ["".join(columns), "".join(reversed(columns)), "".join(c[::-1] for c in columns)]
        endless += ["".join(c[1:] for c in columns), "".join(c[:0:-1] for c in columns)]
        endless += ["".join(c if n % 2 else c[::-1] for n, c in enumerate(columns)), "".join(c[::-1] if n % 2 else c for n, c in enumerate(columns))]
    for one, other in itertools.permutations(ROWS, 2):
        endless += [one + other, one[::-1] + other[::-1]]
    endless += ["qwertyuiopasdfghjklzxcvbnm", "qwertzuiopasdfghjklyxcvbnm", "azertyuiopqsdfghjklmwxcvbn", "mnbvcxzlkjhgfdsapoiuytrewq"]
    endless += [(row[:n]) * (40 // n) for row in ROWS for n in (3, 4, 5, 6)]
    for way in endless:
        for length in range(LEAST, 21):
            if len(way) >= length:
                yield way[:length]
        yield way[:MOST]


def made():
    yield from walks()
    yield from PHRASES
    for phrase in PHRASES:
        yield from (phrase + ending for ending in ("1", "123", "2024", "2025", "2026"))
    for word in WORDS + NAMES:
        times = -(-LEAST // len(word))
        yield from (word * more for more in range(max(times, 2), max(times, 2) + 2))
        yield from (word + ending for ending in ENDINGS)
        yield from (word + ending + word + ending for ending in ("1", "12", "123", "1234"))
        yield from (before + word for before in ("thisismy", "thisisthe", "mysecret", "mynew", "mysuper", "thesecret", "itsmy"))
        yield from (before + word for before in ("123456", "1234567", "12345678", "123456789", "qwerty", "iloveyou", "iloveyou2"))
    for name in NAMES:
        yield from (before + name for before in ("mynameis", "iloveyou", "iloveyoumy", "ihateyou", "hellomynameis", "iam", "ilove", "ilovemy"))
        yield from (name + after for after in ("isthebest", "iloveyou", "loveme", "forever", "ismyname", "mylove", "password"))
        yield from ("ilove" + name + ending for ending in ("1", "12", "123", "1234", "4ever", "forever"))
    for one, other in itertools.product(WORDS[:24] + ["iloveyou", "letmein", "welcome", "secret", "admin"], WORDS):
        yield one + other


def main():
    entries = {folded(text) for text in made()}
    entries = sorted(entry for entry in entries if LEAST <= len(entry) <= MOST)
    target = pathlib.Path(__file__).with_name("common.txt")
    target.write_text("\n".join(entries) + "\n", encoding="utf-8")
    print(f"{len(entries)} entries, {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
