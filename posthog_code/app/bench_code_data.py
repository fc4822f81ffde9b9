"""A made-up repository in six languages for the reader of code, the same for the same size."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

_WORDS = ("order", "cart", "price", "invoice", "customer", "ledger", "refund", "basket", "coupon", "parcel", "stock")
_SHARED = {
    "web/src/lib/analytics.ts": """import posthog from 'posthog-js';

export const EVENTS = { PAID: 'order paid', VIEWED: 'order viewed' } as const;

export function track(name: string, properties: Record<string, unknown> = {}) {
  posthog.capture(name, properties);
}

export const flagOn = (key: string) => posthog.isFeatureEnabled(key) === true;
""",
    "web/src/lib/index.ts": "export * from './analytics';\n",
    "api/app/analytics.py": """from posthog import Posthog

client = Posthog("key")


def track(user: str, name: str) -> None:
    client.capture(name, distinct_id=user)
""",
    "api/app/__init__.py": "",
    "svc/analytics/analytics.go": """package analytics

import "github.com/posthog/posthog-go"

var client = posthog.New("key")

func Track(user, name string) error {
	return client.Enqueue(posthog.Capture{DistinctId: user, Event: name})
}
""",
    "go.mod": "module example.com/shop\n\ngo 1.22\n",
    "lib/tracker.rb": """module Tracker
  CLIENT = PostHog::Client.new(api_key: 'key')

  def self.track(user, name)
    CLIENT.capture(distinct_id: user, event: name)
  end
end
""",
}


def _script(number: int, rng: random.Random, uses: bool) -> str:
    """A component with state, effects, a list and handlers."""
    name = f"{rng.choice(_WORDS).title()}{number}"
    head = "import { useState } from 'react';\nimport { money } from '../lib/money';\n"
    head += "import { track, EVENTS, flagOn } from '../lib';\n" if uses else ""
    parts = [f"{head}\ninterface Props {{ id: string; items: Item[]; onClose: () => void }}\n"]
    for step in range(rng.randint(3, 12)):
        if step % 3:
            parts.append(f"""
export const {name}Row{step} = ({{ id, items }}: Pick<Props, 'id' | 'items'>) => (
  <table className="rows" aria-label="{name}">
    {{items.filter((item) => item.count > {step}).map((item) => (
      <tr key={{item.id}} className={{item.id === id ? 'chosen' : ''}}>
        <td>{{item.title}}</td><td>{{money(item.cents * {step} + {rng.randrange(99)})}}</td>
      </tr>
    ))}}
  </table>
);
""")
            continue
        parts.append(f"""
export function {name}Part{step}({{ id, items, onClose }}: Props) {{
  const [open, setOpen] = useState(false);
  const total = items.filter((item) => item.count > {step}).reduce((sum, item) => sum + item.cents, 0);
  async function save() {{
    try {{
      await fetch(`/api/{name.lower()}/${{id}}`, {{ method: 'POST', body: JSON.stringify({{ total, open }}) }});
      {f"track('saved {number}', {{ total }});" if uses and step == 0 else "setOpen(false);"}
    }} catch (error) {{
      console.error('saving failed', error);
    }}
  }}
  return (
    <section className="part" aria-label="{name}">
      {{items.map((item) => <p key={{item.id}}>{{item.title}}: {{money(item.cents)}}</p>)}}
      <button onClick={{save}} disabled={{open}}>Save</button>
      <button onClick={{() => onClose()}}>Close</button>
    </section>
  );
}}
""")
    return "".join(parts)


def _plain(number: int, rng: random.Random, uses: bool) -> str:
    """The same without JSX."""
    head = "import { track, EVENTS } from '../lib';\n" if uses else "import { money } from '../lib/money';\n"
    parts = [head]
    for step in range(rng.randint(4, 16)):
        word = rng.choice(_WORDS)
        parts.append(f"""
/** What {word} number {step} costs, with tax. */
export async function {word}{step}(input: {{ cents: number; rate: number }}, attempt = {step}): Promise<number> {{
  const rate = input.rate > {rng.randrange(9)} ? input.rate / 100 : input.rate;
  if (attempt > 3) {{
    throw new Error(`{word} gave up after ${{attempt}}`);
  }}
  {"track(EVENTS.PAID, { attempt });" if uses and step == 0 else "const rounded = Math.round(rate * 100) / 100;"}
  return Math.round(input.cents * (1 + rate));
}}
""")
    return "".join(parts)


def _python(number: int, rng: random.Random, uses: bool) -> str:
    parts = ["from __future__ import annotations\n\nimport logging\n"]
    parts.append("from app.analytics import track\n" if uses else "from app.money import money\n")
    parts.append("\nlog = logging.getLogger(__name__)\n")
    for step in range(rng.randint(4, 16)):
        word = rng.choice(_WORDS)
        if step % 3:
            parts.append(f'''

def {word}_{step}(rows: list[dict[str, int]], rate: float = {step}.5) -> int:
    """What all {word} rows cost, with tax."""
    found = [row["cents"] for row in rows if row.get("{word}", 0) > {rng.randrange(99)}]
    total = sum(found)
    return round(total * (1 + rate)) if total else {step}
''')
            continue
        parts.append(f'''

def {word}_{step}(connection, customer: str, cents: int = {step}) -> int:
    """Store one {word} and give its id."""
    if cents < 0:
        raise ValueError(f"a {word} cannot cost {{cents}}")
    try:
        cursor = connection.execute("INSERT INTO {word} VALUES (?, ?)", (customer, cents))
    except OSError as error:
        log.warning("no {word}: %s", error)
        return 0
    {f'track(customer, "{word} stored {number}")' if uses and step == 0 else "log.info('stored')"}
    return int(cursor.lastrowid or 0)
''')
    return "".join(parts)


def _go(number: int, rng: random.Random, uses: bool) -> str:
    imported = '"example.com/shop/svc/analytics"' if uses else '"fmt"'
    parts = [f'package p{number // 20}\n\nimport (\n\t"net/http"\n\t{imported}\n)\n']
    for step in range(rng.randint(4, 14)):
        word = rng.choice(_WORDS).title()
        done = f'analytics.Track(r.URL.Path, "{word} {number}")' if uses and step == 0 else "w.WriteHeader(204)"
        if step % 3:
            parts.append(f"""
// {word}{step}x{number} is what {word} costs with tax.
func {word}{step}x{number}(rows []Row, rate int) int {{
	total := {rng.randrange(99)}
	for _, row := range rows {{
		if row.Count > {step} {{
			total += row.Cents * (100 + rate) / 100
		}}
	}}
	return total
}}
""")
            continue
        parts.append(f"""
// {word}{step}x{number} answers with what it costs.
func {word}{step}x{number}(w http.ResponseWriter, r *http.Request) {{
	cents, err := read(r, {step})
	if err != nil {{
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}}
	if cents > {rng.randrange(100)} {{
		cents = cents * 119 / 100
	}}
	{done}
}}
""")
    return "".join(parts)


def _ruby(number: int, rng: random.Random, uses: bool) -> str:
    name = f"{rng.choice(_WORDS).title()}{number}Controller"
    parts = ["require_relative '../../lib/tracker'\n\n" if uses else "", f"class {name} < ApplicationController\n"]
    for step in range(rng.randint(4, 14)):
        word = rng.choice(_WORDS)
        done = f"Tracker.track(params[:id], '{word} {number}')" if uses and step == 0 else "head :no_content"
        if step % 3:
            parts.append(f"""
  def {word}_{step}
    rows = {word.title()}.where(state: 'open').order(:cents).limit({rng.randrange(99)})
    @total = rows.sum {{ |row| row.cents * 119 / 100 }}
    render json: {{ rows: rows, total: @total, {word}: params[:{word}] }}
  end
""")
            continue
        parts.append(f"""
  def {word}_{step}
    found = {word.title()}.where(customer: params[:id]).limit({step}).map {{ |row| row.cents * 119 / 100 }}
    if found.empty?
      render json: {{ error: "no {word}" }}, status: 404
    else
      {done}
    end
  rescue ActiveRecord::RecordInvalid => error
    logger.warn("{word}: #{{error.message}}")
    head :bad_request
  end
""")
    return "".join([*parts, "end\n"])


_KINDS: tuple[tuple[int, str, Callable[[int, random.Random, bool], str]], ...] = (
    (30, "web/src/parts{folder}/Part{number}.tsx", _script),
    (25, "web/src/rules{folder}/rule{number}.ts", _plain),
    (20, "api/app{folder}/module_{number}.py", _python),
    (10, "svc/p{folder}/file_{number}.go", _go),
    (10, "app/controllers{folder}/part_{number}.rb", _ruby),
    (5, "web/src/old{folder}/old{number}.js", lambda n, rng, uses: _plain(n, rng, uses).replace(
        ": { cents: number; rate: number }", "").replace(": Promise<number>", "")),
)  # fmt: skip
_SHARE_OF_USES = 0.1


def make_code(folder: Path, files: int) -> list[str]:
    """Write so many source files; gives their paths. One in ten sends an event, most of them through a wrapper."""
    rng = random.Random(files)
    texts = dict(_SHARED)
    kinds = [kind for kind in _KINDS for _ in range(kind[0])]
    number = 0
    while len(texts) < files:
        _, pattern, write = kinds[rng.randrange(len(kinds))]
        texts[pattern.format(folder=number // 20, number=number)] = write(number, rng, rng.random() < _SHARE_OF_USES)
        number += 1
    for path, text in texts.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    return list(texts)
