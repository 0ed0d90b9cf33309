"""What the bot says besides answers: help, refusals, progress, failures. English and Arabic."""

from collections.abc import Mapping

ENGLISH: Mapping[str, str] = {
    "help": (
        "Ask me anything that the company's documents may answer: mention me in a channel, write "
        "to me here, or use `/ask` for an answer that only you see. In a thread, just go on "
        "asking. Every answer names its sources; please rate it with the thumbs."
    ),
    "help_commands": (
        "*Commands*\n`/ask QUESTION` an answer that only you see\n`/lorewise status` what I know\n"
        "`/lorewise reindex [SOURCE]` read the documents again (admins)\n"
        "`/lorewise retrain` train on the approved examples (admins)"
    ),
    "empty": "What would you like to know? {help}",
    "empty_ask": "Write your question after the command, such as `/ask How do I book a trip?`",
    "looking": "Looking it up …",
    "files": (
        "I can't read attached files yet ({files}), so I answered from the company's documents "
        "and your words alone."
    ),
    "files_only": "I can't read attached files yet ({files}). Please write what you want to know.",
    "failed": "I could not answer because {reason}. Please ask again in a little while.",
    "failed_model": "the language model gave no answer",
    "failed_database": "the database could not be reached",
    "failed_slack": "Slack did not take the answer",
    "failed_other": "something went wrong on my side",
    "admins_only": (
        "Only admins may do that: the workspace's admins and owners, and whom the setting "
        "LOREWISE_ADMINS names{names}. They will gladly help you."
    ),
    "unknown_command": "I don't know “{command}”.",
    "reindex_queued": "I'm reading {source} again. The progress is in our direct messages.",
    "reindex_all": "all sources",
    "reindex_progress": "Reading {source} again\n`{bar}` {done}/{total}",
    "reindex_begun": "Reading {source} again …",
    "reindex_done": (
        "Read {source} again in {seconds} s: {seen} documents seen, {added} added, {changed} "
        "changed, {removed} removed, {failed} failed."
    ),
    "reindex_failed": "Reading {source} again failed: {reason}",
    "reindex_unknown": "There is no source named “{source}”. There are: {names}.",
    "retrain_none": (
        "There is nothing to train on yet: no approved examples ({votes} votes are waiting to be "
        "curated). Training starts once examples are approved."
    ),
    "status": (
        "{documents} documents in {sources} sources; {questions} questions, {answers} answers, "
        "{votes} votes; {waiting} jobs waiting."
    ),
    "none": "none",
}

ARABIC: Mapping[str, str] = {
    "help": (
        "اسألني عن أي شيء قد تجيب عنه وثائق الشركة: اذكرني في قناة، أو اكتب لي هنا، أو استخدم "
        "`/ask` لإجابة لا يراها سواك. وفي سلسلة المحادثة تابع أسئلتك مباشرة. كل إجابة تذكر "
        "مصادرها؛ قيّمها من فضلك."
    ),
    "help_commands": (
        "*الأوامر*\n`/ask السؤال` إجابة لا يراها سواك\n`/lorewise status` ما أعرفه\n"
        "`/lorewise reindex [SOURCE]` قراءة الوثائق من جديد (للمشرفين)\n"
        "`/lorewise retrain` التدريب على الأمثلة المعتمدة (للمشرفين)"
    ),
    "empty": "ماذا تريد أن تعرف؟ {help}",
    "empty_ask": "اكتب سؤالك بعد الأمر، مثل `/ask كيف أحجز رحلة؟`",
    "looking": "أبحث عن الإجابة …",
    "files": (
        "لا أستطيع قراءة الملفات المرفقة بعد ({files})، فأجبت من وثائق الشركة ومن كلماتك فقط."
    ),
    "files_only": "لا أستطيع قراءة الملفات المرفقة بعد ({files}). اكتب من فضلك ما تريد معرفته.",
    "failed": "لم أستطع الإجابة لأن {reason}. اسأل من فضلك مرة أخرى بعد قليل.",
    "failed_model": "النموذج اللغوي لم يعط إجابة",
    "failed_database": "الوصول إلى قاعدة البيانات تعذّر",
    "failed_slack": "Slack لم يقبل الإجابة",
    "failed_other": "خطأً حدث من جانبي",
    "admins_only": (
        "هذا للمشرفين فقط: مشرفو مساحة العمل ومالكوها ومن يحدده الإعداد LOREWISE_ADMINS{names}. "
        "سيساعدونك بكل سرور."
    ),
    "unknown_command": "لا أعرف «{command}».",
    "reindex_queued": "أقرأ {source} من جديد. التقدم في رسائلنا المباشرة.",
    "reindex_all": "كل المصادر",
    "reindex_progress": "قراءة {source} من جديد\n`{bar}` {done}/{total}",
    "reindex_begun": "قراءة {source} من جديد …",
    "reindex_done": (
        "قُرئ {source} من جديد في {seconds} ث: {seen} وثيقة، أُضيف {added}، وتغيّر {changed}، "
        "وحُذف {removed}، وتعذّر {failed}."
    ),
    "reindex_failed": "تعذّرت قراءة {source} من جديد: {reason}",
    "reindex_unknown": "لا يوجد مصدر باسم «{source}». المصادر: {names}.",
    "retrain_none": (
        "لا يوجد ما يُتدرَّب عليه بعد: لا أمثلة معتمدة ({votes} تقييمًا بانتظار المراجعة). يبدأ "
        "التدريب عندما تُعتمد أمثلة."
    ),
    "status": (
        "{documents} وثيقة في {sources} مصادر؛ {questions} سؤالًا، {answers} إجابة، {votes} "
        "تقييمًا؛ {waiting} مهمة في الانتظار."
    ),
    "none": "لا شيء",
}

LANGUAGES: Mapping[str, Mapping[str, str]] = {"en": ENGLISH, "ar": ARABIC}


def say(name: str, language: str = "en", **values: object) -> str:
    """A reply in a language, English where there is no translation."""
    replies = LANGUAGES.get(language, ENGLISH)
    if name == "empty":
        values["help"] = replies["help"]
    return replies[name].format(**values)
