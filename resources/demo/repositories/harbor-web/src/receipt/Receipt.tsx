import { track } from '../analytics';
import { money } from '../orders/format';
import type { Order } from '../types';

export function Receipt({ order }: { order: Order }) {
  return (
    <section className="receipt light" onClick={() => track('receipt_opened', { order: order.number })}>
      <h2>{order.number}</h2>
      <p>{money(order.cents)}</p>
    </section>
  );
}
