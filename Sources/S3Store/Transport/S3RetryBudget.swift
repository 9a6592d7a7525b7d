/// Limits how many requests the client repeats, over all calls of a store together.
///
/// Repeating a single failed call is useful. But if most calls fail because the store is overloaded, repeating each of
/// them several times would keep it overloaded. Then the budget runs out: calls fail at their first attempt, until the
/// store has answered enough calls.
struct S3RetryBudget: Hashable, Sendable {
    private let most: Int
    private let price: Int
    private(set) var left: Int

    /// - Parameters:
    ///   - most: initial and largest budget.
    ///   - price: cost of one repetition. Each answered call, even a refused one, returns 1 to the budget.
    init(most: Int = 500, price: Int = 5) {
        self.most = most
        self.price = price
        self.left = most
    }

    /// Takes the price of one repetition. Returns `false` if the budget is too low for it.
    mutating func take() -> Bool {
        guard left >= price else { return false }
        left -= price
        return true
    }

    mutating func answered() {
        left = min(most, left + 1)
    }
}
