"""What each address of the page does."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from starlette.responses import Response

from headgate.adapters.review_page.showing import in_a_row, printable, render, said, shown
from headgate.adapters.review_page.visit import Visit, case_of, number_in, page, page_in, service_of, to
from headgate.adapters.store import reviews
from headgate.errors import InputError
from headgate.review.case import Decided, Queued, Ruling

#: Of the cookie that holds a session's secret.
COOKIE = "headgate_review"
#: Cases of a page of those that wait.
_A_PAGE = 50
#: Characters of a comment that are kept.
_LONGEST = 2_000
_FILES = {"style.css": "text/css", "keys.js": "text/javascript"}


def home(visit: Visit) -> Response:
    """Show the queues; where there is one, go there."""
    services = reviews.services(visit.desk.engine)
    if len(services) == 1:
        return to(f"/{quote(services[0])}")
    rows = [(name, *reviews.backlog(visit.desk.engine, name)) for name in services]
    return page(visit, "home.html.j2", rows=rows, now=visit.desk.clock())


def next_case(visit: Visit) -> Response:
    """Show the case that this reviewer should look at."""
    service, now = service_of(visit), visit.desk.clock()
    case = reviews.next(visit.desk.engine, service, visit.reviewer.reviewer, now)
    return _case_page(visit, service, case)


def one_case(visit: Visit) -> Response:
    """Show one case, decided or not."""
    case = case_of(visit)
    return _case_page(visit, case.case.service, case)


def decide(visit: Visit) -> Response:
    """Do what a reviewer says of a case, and go on to the next."""
    case, desk, who = case_of(visit), visit.desk, visit.reviewer
    back, now = f"/{quote(case.case.service)}", desk.clock()
    comment = visit.form.get("comment", "")[:_LONGEST]
    say, _, given = visit.form.get("say", "").partition(" ")
    match say:
        case "skip":
            reviews.skip(desk.engine, case.id, who.reviewer, now)
            return to(back)
        case "withdraw":
            taken = Decided(Ruling.WITHDRAWN, None, who.reviewer, comment, now)
            reviews.decide(desk.engine, case.id, taken)
            return to(f"{back}/{case.id}")
        case "confirm":
            reviews.confirm(desk.engine, case.id, who.reviewer, now, comment)
        case "answer":
            desk.say(case.id, number_in(given or visit.form.get("answer", "")), who.reviewer, comment)
        case "unclear":
            reviews.decide(desk.engine, case.id, Decided(Ruling.UNCLEAR, None, who.reviewer, comment, now))
        case other:
            raise InputError(f"asked confirm, answer, unclear, skip or withdraw; found {other[:40]!r}")
    who.last = case.id
    return to(f"{back}?last={case.id}")


def waiting(visit: Visit) -> Response:
    """Show what waits, a page of it."""
    service, desk = service_of(visit), visit.desk
    number, (many, _) = page_in(visit), reviews.backlog(desk.engine, service)
    cases = reviews.waiting(desk.engine, service, _A_PAGE, skip=_A_PAGE * (number - 1))
    plan, now = desk.plan_of(service), desk.clock()
    return page(
        visit,
        "waiting.html.j2",
        service=service,
        cases=[in_a_row(case, plan, now) for case in cases],
        number=number,
        pages=max(1, -(-many // _A_PAGE)),
        waiting=many,
    )


def standing(visit: Visit) -> Response:
    """Show how a service's answers are taken, and what is to come."""
    service = service_of(visit)
    return page(visit, "standing.html.j2", service=service, told=visit.desk.told_of(service))


def ask_who(visit: Visit, why: str = "") -> Response:
    """Ask who it is; ``why`` says what was wrong before, and then the name stays in its field."""
    if visit.session is not None:
        return to("/")
    name = visit.sessions.begin()
    person = visit.form.get("name", "").strip()
    status = 403 if why else 200
    return page(visit, "sign_in.html.j2", status=status, request_name=name, why=why, person=person)


def sign_in(visit: Visit) -> Response:
    """Sign somebody in whose code proves who they are."""
    person, code = visit.form.get("name", "").strip(), visit.form.get("code", "")
    name = visit.form.get("request", "")
    if visit.sessions.locked(person.casefold()):
        return ask_who(visit, "too many wrong codes: wait a quarter of an hour")
    if not visit.sessions.finish(name):
        return ask_who(visit, "that sign-in is too old: compute a code for the one shown now")
    why = visit.desk.prove(person, name, code)
    if why is not None:
        visit.sessions.note_wrong(person.casefold())
        # What names the sign-in that is used up would have people compute a code for that one.
        return ask_who(
            visit, "wrong or expired code: compute one for the sign-in below" if name in why else why
        )
    answer = to("/")
    answer.set_cookie(
        COOKIE, visit.sessions.open(person), httponly=True, samesite="strict", secure=visit.secure
    )
    return answer


def sign_out(visit: Visit) -> Response:
    """Sign somebody out."""
    visit.sessions.close(visit.cookie)
    return to("/sign-in")


def static(visit: Visit) -> Response:
    """Return the style or the keys."""
    name = visit.path["name"]
    if name not in _FILES:
        return page(visit, "message.html.j2", status=404, words="there is no such file")
    text = (
        render("page.css.j2", {})
        if name == "style.css"
        else (Path(__file__).parent / name).read_text("utf-8")
    )
    return Response(text, media_type=_FILES[name])


def _case_page(visit: Visit, service: str, case: Queued | None) -> Response:
    desk, now, who = visit.desk, visit.desk.clock(), visit.reviewer
    waiting, oldest = reviews.backlog(desk.engine, service)
    plan = desk.plan_of(service)
    last = None
    if who.last is not None and visit.query.get("last") == str(who.last):
        before = reviews.get(desk.engine, who.last)
        name = printable(before.case.request_id)
        last = (who.last, name, said(before.decided, plan)) if before.decided else None
    return page(
        visit,
        "case.html.j2",
        service=service,
        case=None if case is None else shown(case, plan, now),
        decided=case.decided if case else None,
        said=said(case.decided, plan) if case and case.decided else "",
        waiting=waiting,
        oldest=oldest,
        max_age=plan.review.max_age if plan and plan.review else None,
        now=now,
        last=last,
    )
