"""How does a person read what is known about one user? The profile in lines; what is unknown is a dash."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def profile_lines(profile: Mapping[str, Any], currency: str) -> Iterator[str]:
    """In the order in which one asks: who, what stage, what bought, what done, what next, what said."""
    yield f"user {profile['user_id']} as of {profile['as_of']}; money in minor units of {currency}"
    yield _line("seen", f"{_known(profile['first_seen_at'])} .. {_known(profile['last_seen_at'])}")
    if profile["aliases"]:
        yield _line("also", ", ".join(profile["aliases"]))
    stage = profile["lifecycle"]
    yield _line("stage", f"{_known(stage['stage'])} since {_known(stage['since'])}")
    yield from _bought(profile["rfm"])
    yield _line("tier", _tier(profile["membership"], profile["tags"]["dynamic"]["next_tier"]))
    yield _line("activity", _pairs(profile["activity"]))
    yield from _cart(profile["cart"])
    yield _line("expected", _expected(profile["predictions"]))
    for kind, tags in profile["tags"].items():
        yield _line(kind, _pairs({name: value for name, value in tags.items() if name != "next_tier"}))
    consent = ", ".join(f"{name} {'yes' if yes else 'no'}" for name, yes in profile["consent"].items())
    yield _line("consent", consent or "-")
    yield "  triggers, the newest first" if profile["recent_triggers"] else _line("triggers", "none")
    for sent in profile["recent_triggers"]:
        came = "".join(f", {sign}" for sign in ("opened", "clicked") if sent[sign])
        yield f"    {sent['at']} {sent['rule']} on {_known(sent['channel'])} ({sent['id']}){came}"


def _bought(rfm: Mapping[str, Any]) -> Iterator[str]:
    yield _line(
        "orders", f"{rfm['orders']}, net {rfm['net_amount']}, the last {_known(rfm['last_order_at'])}"
    )
    for width, window in rfm["windows"].items():
        yield f"    {width:<8} {window['orders']} orders, net {window['net_amount']}"
    scores, version = rfm["scores"], rfm["cuts_version"]
    by = "by fixed thresholds" if version is None else f"by cut points {version}"
    told = ", ".join(f"{name.upper()} {_known(score)}" for name, score in scores.items())
    yield _line("scores", f"{told} ({by})")
    yield _line("segment", f"{_known(rfm['flags'])} {_known(rfm['segment'])}, group {_known(rfm['group'])}")


def _tier(membership: Mapping[str, Any], lacking: Mapping[str, Any] | None) -> str:
    text = f"{_known(membership['tier'])}, points {_known(membership['points'])}"
    if lacking is None:
        return text
    return f"{text}; to {lacking['tier']}: spend {lacking['spend']}, orders {lacking['orders']}"


def _cart(cart: Mapping[str, Any]) -> Iterator[str]:
    yield _line("cart", f"changed {_known(cart['changed_at'])}" if cart["lines"] else "empty")
    for line in cart["lines"]:
        yield f"    {line['quantity']} x {line['sku']} at {line['price']}, added {line['added_at']}"


def _expected(predictions: Mapping[str, Any]) -> str:
    silent, alive = (_percent(predictions[name]) for name in ("p_no_purchase_8w", "p_alive"))
    orders = predictions["expected_orders_26w"]
    return (
        f"no purchase in 8 weeks {silent}, alive {alive}, orders in 26 weeks {_known(orders, '.2f')}, "
        f"next order by {_known(predictions['next_order_at'])}, worth {_known(predictions['expected_value'])} each, "
        f"{_known(predictions['lifetime_value_52w'])} in 52 weeks"
    )


def _line(name: str, text: str) -> str:
    return f"  {name:<10} {text}"


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {_value(value)}" for name, value in values.items())


def _value(value: Any) -> str:
    if not isinstance(value, list):
        return _known(value)
    return " + ".join(_item(each) if isinstance(each, Mapping) else str(each) for each in value) or "none"


def _item(due: Mapping[str, Any]) -> str:
    return f"{due['item']} about {due['expected_at']}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"


def _known(value: object, form: str = "") -> str:
    return "-" if value is None else format(value, form)
