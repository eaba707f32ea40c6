"""Keeps the search for courses in line with what they consist of, and the vocabulary, which forgives typos, in line
with the courses.

An entry is made of the course's title and description, those of its lessons, its category's title and its owner's
names. Whatever writes one of these calls `index_course`, or `refresh` where it concerns several courses.
"""

from collections.abc import Iterable
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.db.models.functions import Left

from common.background import enqueue
from common.writing import lock
from materials.models import Course, CourseSearch, CourseWord, SearchRefresh, SearchTerm
from materials.search import deletions, stem, words
from users.models import User

MAX_WORDS = 5000
# Characters of its lessons' descriptions, a fair share of each: up to 30 lessons are read whole, whatever their length.
MAX_DESCRIBED = 300_000
# So many words of a course may be misspelt by whoever searches; each takes as many rows as it has letters, and twice if
# its stem is another word. Titles and names come first.
MAX_SPELLINGS = 250
SPELLING_LENGTHS = range(3, 25)
# So many courses follow a change of a name at once, the others soon after.
AT_ONCE = 5
BATCH = 500


@transaction.atomic
def index_course(course_id: UUID) -> None:
    """Brings the course's search entry, and the vocabulary, up to date. A course that is gone is passed over."""
    if not Course.objects.filter(pk=course_id).exists():
        return
    # Locked before anything is read: of two at once, the second reads what the first has written.
    entry, _new = CourseSearch.objects.select_for_update().get_or_create(course_id=course_id, defaults={"terms": ""})
    course = Course.objects.select_related("owner", "category").get(pk=course_id)
    described = Left("description", max(MAX_DESCRIBED // max(course.lessons.count(), 1), 1))
    lessons = list(course.lessons.order_by("order", "id").values_list("title", described))
    texts = [course.title, course.category.title if course.category else ""]
    texts += [course.owner.full_name, course.owner.username or "", *(title for title, _description in lessons)]
    texts += [course.description, *(description for _title, description in lessons)]
    written = list(dict.fromkeys(words("\n".join(texts))))[:MAX_WORDS]
    entry.terms = " ".join(dict.fromkeys(stem(word) for word in written))
    entry.save(update_fields=["terms"])
    spelt = [word for word in written if len(word) in SPELLING_LENGTHS][:MAX_SPELLINGS]
    _set_words(course_id, {form for word in spelt for form in (word, stem(word))})


def _set_words(course_id: UUID, wanted: set[str]) -> None:
    mine = CourseWord.objects.filter(course=course_id)
    before = set(mine.values_list("word", flat=True))
    new, dropped = wanted - before, before - wanted
    rows = [CourseWord(course_id=course_id, word=word) for word in sorted(new)]
    CourseWord.objects.bulk_create(rows, batch_size=BATCH, ignore_conflicts=True)
    _learn(new)
    for batch in _batches(dropped):
        mine.filter(word__in=batch).delete()
    _forget(dropped)


def _learn(new: Iterable[str]) -> None:
    for batch in _batches(new):
        known = set(SearchTerm.objects.filter(deletion__in=batch, term=F("deletion")).values_list("term", flat=True))
        # In one order everywhere: two courses saved at once must not wait for each other's words.
        pairs = sorted((deletion, word) for word in set(batch) - known for deletion in deletions(word) if deletion)
        rows = [SearchTerm(deletion=deletion, term=word) for deletion, word in pairs]
        SearchTerm.objects.bulk_create(rows, batch_size=1000, ignore_conflicts=True)


def _forget(dropped: Iterable[str]) -> None:
    """Takes out of the vocabulary what no course is found by any more."""
    for batch in _batches(dropped, 50):
        used = set(CourseWord.objects.filter(word__in=batch).values_list("word", flat=True))
        unused = [word for word in batch if word not in used]
        keys = {deletion for word in unused for deletion in deletions(word)}
        rows = SearchTerm.objects.filter(deletion__in=keys, term__in=unused)
        # In the order in which they are written.
        locked = rows.order_by("deletion", "term").select_for_update().values_list("pk", flat=True)
        SearchTerm.objects.filter(pk__in=list(locked)).delete()


def _batches(found: Iterable[str], size: int = BATCH) -> list[list[str]]:
    ordered = sorted(found)
    return [ordered[start : start + size] for start in range(0, len(ordered), size)]


@transaction.atomic
def delete_entry(course_id: UUID) -> None:
    """Before the course is deleted."""
    _set_words(course_id, set())


def tidy_vocabulary() -> int:
    """Daily: takes out words that went with courses deleted some other way, and puts in those that one course took out
    while another came to need them. Says how many it took out."""
    refresh_waiting()
    named = CourseWord.objects.filter(word=OuterRef("term"))
    orphans = SearchTerm.objects.filter(~Exists(named), deletion=F("term")).order_by("term").values_list("term")
    done = 0
    while batch := [term for (term,) in orphans[:BATCH]]:
        with transaction.atomic():
            _forget(batch)
        done += len(batch)
    known = SearchTerm.objects.filter(deletion=OuterRef("word"), term=OuterRef("word"))
    missing = CourseWord.objects.filter(~Exists(known)).order_by("word").values_list("word", flat=True).distinct()
    while batch := list(missing[:BATCH]):
        with transaction.atomic():
            _learn(batch)
    return done


# --- Several courses -------------------------------------------------------------------------------------------------


@transaction.atomic
def refresh(courses: QuerySet[Course], *, owner: User | None = None) -> None:
    """Writes the entries of these courses anew: of the first few now, of the others soon. If they are all courses of
    one person, name them."""
    first = list(courses.order_by("pk").values_list("pk", flat=True)[: AT_ONCE + 1])
    lock(CourseSearch.objects.filter(course__in=first[:AT_ONCE]))
    for course_id in first[:AT_ONCE]:
        index_course(course_id)
    if len(first) <= AT_ONCE:
        return
    if owner is not None:
        SearchRefresh.objects.create(owner=owner, done_to=first[AT_ONCE - 1])
    else:
        others = courses.filter(pk__gt=first[AT_ONCE - 1]).order_by("pk").values_list("pk", flat=True)
        rows = [SearchRefresh(course_id=course_id) for course_id in others]
        SearchRefresh.objects.bulk_create(rows, batch_size=1000)
    enqueue("materials.tasks.refresh_search")


def refresh_of_owner(owner: User) -> None:
    """After somebody has got another name."""
    refresh(Course.objects.filter(owner=owner), owner=owner)


def refresh_waiting() -> int:
    """Writes the entries that wait. Says how many. Safe to run twice, at once, or after a kill."""
    done = 0
    while row := SearchRefresh.objects.first():
        if row.course_id:
            index_course(row.course_id)
            done += 1
        else:
            courses = Course.objects.filter(owner=row.owner_id).order_by("pk")
            left = courses.filter(pk__gt=row.done_to) if row.done_to else courses
            while batch := list(left.values_list("pk", flat=True)[:BATCH]):
                for course_id in batch:
                    index_course(course_id)
                done += len(batch)
                SearchRefresh.objects.filter(pk=row.pk).update(done_to=batch[-1])
                left = courses.filter(pk__gt=batch[-1])
        row.delete()
    return done
