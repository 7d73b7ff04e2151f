"""Refunds: small ones are paid at once, large ones when a person says so."""
# --8<-- [start:refund]
from pydantic import BaseModel

import prefect_worklets as pw


class Claim(BaseModel):
    customer: str
    amount: float
    reason: str


@pw.node
def is_large(claim: Claim) -> bool:
    return claim.amount > 100


@pw.node
def pay(claim: Claim) -> str:
    return f"{claim.customer} gets {claim.amount:.2f}"


@pw.node
def answer(claim: Claim, verdict: pw.Decision) -> str:
    return pay(claim) if verdict.approved else f"{claim.customer} gets nothing: {verdict.comment}"


def ask(claim: Claim) -> str:
    verdict = pw.review(title="Pay this claim?", due="2d", on_due="reject")(claim)
    return answer(claim, verdict)


@pw.worklet
def refund(claim: Claim) -> str:
    return pw.decide(is_large(claim), lambda: ask(claim), lambda: pay(claim))
# --8<-- [end:refund]
