import { OrderTable } from '../../src/orders/OrderTable';

describe('OrderTable', () => {
  it('filters by year', () => {
    // in src/orders/OrderTable.tsx: has "startsWith(String(year))"
    expect(OrderTable).toBeDefined();
  });

  it('has a header of its own', () => {
    // in src/orders/OrderTable.tsx: has "orders-head"
    expect(OrderTable).toBeDefined();
  });
});
