"""Medians, and the Markdown table with absolute values and ratios.

Not here: running anything.
"""

import statistics


def medians(results):
    """The median of each number over several results of one work; other values from the last."""
    merged = dict(results[-1])
    for key in merged:
        values = [result[key] for result in results if isinstance(result.get(key), (int, float))]
        if values and not isinstance(merged[key], bool):
            merged[key] = statistics.median(values)
    return merged


def figure(value):
    """A number with as many digits as it deserves."""
    if value is None:
        return "–"
    if abs(value) >= 10000:
        return f"{value / 1000:.1f} k"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def shown(key, value):
    """Latencies (p50_us and so on) are shown in milliseconds."""
    return figure(value / 1000 if value is not None and key in ("p50_us", "p95_us", "p99_us") else value)


def ratio(above, below):
    return f"{above / below:.2f}" if above and below and below > 0 else "–"


def render(works, servers, found):
    """`found[work name][server name]` is a merged result, or a text that says why there is none."""
    ours = "detente" in servers
    pairs = [(server, "relay") for server in servers if server != "relay"] if "relay" in servers else []
    if ours:
        pairs = [pair for pair in pairs if pair[0] == "detente"]
        pairs += [(server, "detente") for server in servers if server not in ("relay", "detente")]
    head = ["work", *servers, *(f"{above} ÷ {below}" for above, below in pairs)]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for work in works:
        cells, values = [f"{work.label} ({work.unit})"], {}
        for server in servers:
            result = found.get(work.name, {}).get(server)
            if not isinstance(result, dict):
                cells.append("**failed**" if result else "–")
                continue
            values[server] = result.get(work.main)
            more = ", ".join(text.format(shown(key, result.get(key))) for key, text in work.more)
            cells.append(f"**{figure(values[server])}** ({more})")
        cells += [ratio(values.get(above), values.get(below)) for above, below in pairs]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
