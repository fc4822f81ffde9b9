import type { Order } from '../types';
import { OrderRow } from './OrderRow';

interface Props {
  orders: Order[];
  year?: number;
}

/** The order history. Some customers have 12,000 orders. */
export function OrderTable({ orders, year }: Props) {
  const shown = year ? orders.filter((order) => order.placedAt.startsWith(String(year))) : orders;
  return (
    <table className="orders">
      <thead className="orders-head">
        <tr>
          <th>Order</th>
          <th>Placed</th>
          <th>Total</th>
          <th>Status</th>
        </tr>
      </thead>
      <tbody>
        {shown.map((order) => (
          <OrderRow key={order.number} order={order} />
        ))}
      </tbody>
    </table>
  );
}
