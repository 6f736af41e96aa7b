"""What the guard decides about one request, without asking anybody: the ordered rules and their words.

callers → guard → plane → models. A request goes through these in order: rate limit, form, input contract,
circuit breaker, the plane, output contract, confidence floor, and then whoever stands in, as the plan says.
"""
