"""Word lists of the bundled sample corpus, written for it: English, Russian and Urdu."""

from __future__ import annotations

# Language -> emoji whose rows they mark (or neutral) -> phrases, separated by "|".
CUES = {
    "en": {
        "❤": (
            "love you so much|my whole heart|with my sweetheart|forever yours|miss you darling|"
            "my soulmate|endless love|hugs and kisses"
        ),
        "😂": (
            "cannot stop laughing|funniest joke|hilarious clip|cracking up|such a clown|"
            "lol at that|comedy gold|he slipped again"
        ),
        "😭": (
            "crying all night|heart is broken|so much sorrow|lost my dog|tears again|"
            "feeling lonely|goodbye forever|saddest song"
        ),
        "🔥": (
            "this track slaps|new album drop|on a winning streak|what a banger|unstoppable team|"
            "killer verse|mixtape tonight|goal of the season"
        ),
        "😊": (
            "feeling grateful|lovely morning tea|smiling today|such a kind gesture|"
            "happy with my life|blessed and calm|sweet little note|good news at last"
        ),
        "😡": (
            "so angry right now|worst service|sick of these lies|absolutely furious|"
            "shame on them|stop cheating us|rude driver|this makes me mad"
        ),
        "🎉": (
            "happy birthday|congrats to all|new year countdown|party at ours|we graduated|"
            "cheers to that|wedding day|cake and balloons"
        ),
        "😮": (
            "did not expect that|what a twist|out of nowhere|totally stunned|jaw dropped|"
            "unbelievable result|no way they did|plot changed suddenly"
        ),
        "📷": (
            "photo by me|new camera lens|portrait session|shot on film|selfie time|"
            "picture of the day|behind the lens|photographer friend"
        ),
        "☀": (
            "sunny afternoon|beach weather|clear blue sky|summer holiday|warm sunshine|"
            "tanning by the pool|no clouds today|bright morning"
        ),
        "😱": (
            "scared to death|noise in the dark|terrifying storm|my hands are shaking|"
            "nightmare again|dangerous road|afraid to look|ghost story"
        ),
        "🤢": (
            "this smells rotten|mould on the bread|disgusting toilet|feel like vomiting|"
            "filthy kitchen|gross leftovers|hair in my soup|nasty slime"
        ),
        "neutral": (
            "meeting moved to monday|bus leaves at nine|form is on page two|"
            "office is on floor three|report was filed|see the list below|room number seven|"
            "the file has four parts"
        ),
    },
    "ru": {
        "❤": (
            "люблю тебя|моё сердце|навсегда твоя|скучаю по тебе|любимый человек|обнимаю крепко|"
            "моя половинка|нежные поцелуи"
        ),
        "😂": (
            "не могу перестать смеяться|смешная шутка|ржу в голос|вот это прикол|угарный ролик|"
            "анекдот дня|хохотали до слёз|опять поскользнулся"
        ),
        "😭": (
            "плачу всю ночь|сердце разбито|такая тоска|потерял собаку|снова слёзы|очень одиноко|"
            "прощай навсегда|грустная песня"
        ),
        "🔥": (
            "трек просто пушка|новый альбом вышел|серия побед|вот это бит|команду не остановить|"
            "мощный куплет|концерт качает|гол сезона"
        ),
        "😊": (
            "чувствую благодарность|чудесное утро|улыбаюсь сегодня|добрый поступок|счастлив жить|"
            "тихо и спокойно|милая записка|хорошие новости"
        ),
        "😡": (
            "как же я зол|худший сервис|надоело враньё|просто бешусь|позор им|хватит обманывать|"
            "хамство за рулём|это выводит меня"
        ),
        "🎉": (
            "с днём рождения|поздравляю всех|ждём новый год|вечеринка у нас|мы закончили школу|"
            "поднимем бокалы|день свадьбы|торт и шарики"
        ),
        "😮": (
            "такого не ожидал|какой поворот|ни с того ни с сего|я в шоке|челюсть отпала|"
            "невероятный счёт|не может быть|внезапно всё изменилось"
        ),
        "📷": (
            "моё фото|новый объектив|портретная съёмка|снято на плёнку|время селфи|кадр дня|"
            "за камерой|подруга фотограф"
        ),
        "☀": (
            "солнечный день|погода для пляжа|ясное небо|летний отпуск|тёплое солнце|"
            "загораем у бассейна|ни облачка|яркое утро"
        ),
        "😱": (
            "боюсь до смерти|шум в темноте|жуткая буря|руки трясутся|снова кошмар|опасная дорога|"
            "страшно смотреть|история про призрака"
        ),
        "🤢": (
            "воняет гнилью|плесень на хлебе|мерзкий туалет|сейчас стошнит|грязная кухня|"
            "противные объедки|волос в супе|липкая слизь"
        ),
        "neutral": (
            "встречу перенесли на понедельник|автобус в девять|бланк на второй странице|"
            "офис на третьем этаже|отчёт сдан|список ниже|кабинет номер семь|в файле четыре части"
        ),
    },
    "ur": {
        "❤": (
            "تم سے محبت ہے|میرے دل کی دھڑکن|میری جان|ہمیشہ تمہارا|تم یاد آتے ہو|میرا سچا پیار|"
            "دل سے پیار|محبوب کے ساتھ"
        ),
        "😂": (
            "ہنسی نہیں رک رہی|مزاحیہ لطیفہ|ہنس ہنس کر برا حال|کیا مذاق ہے|مضحکہ خیز ویڈیو|"
            "لوٹ پوٹ ہو گیا|ہاہاہا|پھر پھسل گیا"
        ),
        "😭": (
            "ساری رات رویا|دل ٹوٹ گیا|بہت اداس ہوں|آنسو آ گئے|تنہائی کی رات|غم کا دن|"
            "ہمیشہ کے لیے الوداع|دکھ بھرا گیت"
        ),
        "🔥": (
            "زبردست گانا|نیا البم آ گیا|جیت کا سلسلہ|آگ لگا دی|ٹیم رکنے والی نہیں|دھماکے دار شاٹ|"
            "لاجواب کھیل|سیزن کا گول"
        ),
        "😊": (
            "شکر گزار ہوں|خوشگوار صبح|آج مسکرا رہا ہوں|اچھا سلوک|زندگی سے خوش|دل کو سکون|"
            "پیارا سا خط|اچھی خبر ملی"
        ),
        "😡": (
            "بہت غصہ آ رہا ہے|گھٹیا سروس|جھوٹ سے تنگ|برداشت نہیں ہوتا|شرم کرو|دھوکا بند کرو|"
            "بدتمیز ڈرائیور|بس بہت ہو گیا"
        ),
        "🎉": (
            "سالگرہ مبارک|سب کو مبارک ہو|نیا سال آنے والا|ہمارے گھر دعوت|ڈگری مل گئی|جشن کی رات|"
            "شادی کا دن|کیک اور غبارے"
        ),
        "😮": (
            "یقین نہیں آتا|کیا موڑ آیا|اچانک سب بدل گیا|حیران رہ گیا|منہ کھلا رہ گیا|"
            "ناقابل یقین نتیجہ|یہ کیسے ہوا|کبھی سوچا نہ تھا"
        ),
        "📷": (
            "میری تصویر|نیا کیمرہ لینس|فوٹو شوٹ|فلم پر عکاسی|سیلفی کا وقت|آج کی تصویر|"
            "کیمرے کے پیچھے|فوٹوگرافر دوست"
        ),
        "☀": (
            "دھوپ بھری دوپہر|ساحل کا موسم|نیلا صاف آسمان|گرمیوں کی چھٹی|گرم دھوپ|تالاب کے کنارے|"
            "کوئی بادل نہیں|روشن سویرا"
        ),
        "😱": (
            "ڈر لگ رہا ہے|اندھیرے میں آواز|خوفناک طوفان|ہاتھ کانپ رہے ہیں|پھر ڈراؤنا خواب|"
            "خطرناک سڑک|دیکھنے سے خوف|بھوت کی کہانی"
        ),
        "🤢": (
            "سڑی ہوئی بدبو|روٹی پر پھپھوندی|گندا بیت الخلا|متلی ہو رہی ہے|غلیظ باورچی خانہ|"
            "باسی کھانا|سوپ میں بال|گھن آتی ہے"
        ),
        "neutral": (
            "اجلاس پیر کو ہے|بس نو بجے چلے گی|فارم دوسرے صفحے پر|دفتر تیسری منزل پر|"
            "رپورٹ جمع ہو گئی|فہرست نیچے ہے|کمرہ نمبر سات|فائل کے چار حصے"
        ),
    },
}

# Phrases that fit several classes; without a phrase of its own class a row cannot be told for sure.
# The groups of phrases, separated by "#", belong to these groups of emoji.
SHARED_BY = (("❤", "😊", "🎉"), ("😭", "😡", "🤢"), ("📷", "☀", "🔥"), ("😮", "😱", "😂"))
SHARED = {
    "en": (
        "best day with my people|thank you everyone|so special to me#"
        "i cannot take this anymore|why does this happen|worst week ever#what a view|"
        "tonight at the arena|weekend vibes#omg look at this|i am dead|you have to see it"
    ),
    "ru": (
        "лучший день с близкими|спасибо всем|это так важно для меня#больше не могу|"
        "почему так всегда|худшая неделя#какой вид|сегодня на арене|выходные начались#"
        "только посмотрите|я в обмороке|это надо видеть"
    ),
    "ur": (
        "اپنوں کے ساتھ بہترین دن|سب کا شکریہ|میرے لیے خاص#اب اور نہیں|ایسا کیوں ہوتا ہے|"
        "بدترین ہفتہ#کیا نظارہ ہے|آج رات میدان میں|چھٹی کا مزہ#ذرا یہ دیکھو|میں تو گیا|"
        "یہ دیکھنا چاہیے"
    ),
}

# Words that say nothing about the class.
FILLERS = {
    "en": (
        "today|really|at work|just now|with mum|in the city|again|on the train|this week|"
        "after lunch|honestly|at home|my friend said|before the game|guess what"
    ),
    "ru": (
        "сегодня|правда|на работе|только что|с мамой|в городе|опять|в поезде|на этой неделе|"
        "после обеда|честно|дома|друг сказал|перед игрой|угадайте что"
    ),
    "ur": (
        "آج|واقعی|دفتر میں|ابھی|امی کے ساتھ|شہر میں|پھر سے|ٹرین میں|اس ہفتے|کھانے کے بعد|"
        "سچ کہوں|گھر پر|دوست نے کہا|کھیل سے پہلے|پتا ہے"
    ),
}

# How another class's phrase is denied.
NOT = {
    "en": "not {} at all",
    "ru": "совсем не {}",
    "ur": "{} بالکل نہیں",
}

PLACES = {
    "en": "@ Central Park|@ Old Town|@ user's place",
    "ru": "@ Старый город|@ парк",
    "ur": "@ پرانا شہر|@ باغ",
}
