/// How many repetitions all calls of a store may make together.
///
/// One call that fails is worth repeating. When most calls fail, repeating each of them several times only keeps a
/// store down that is trying to get up: then the budget runs out, and calls fail at their first attempt until some have
/// been answered again.
struct S3RetryBudget: Hashable, Sendable {
    private let most: Int
    private let price: Int
    private(set) var left: Int

    /// - Parameters:
    ///   - most: what is there at first, and never more.
    ///   - price: of one repetition. A call that is answered, even by a refusal, gives back one.
    init(most: Int = 500, price: Int = 5) {
        self.most = most
        self.price = price
        self.left = most
    }

    /// Called before a repetition; false where it is not to be.
    mutating func take() -> Bool {
        guard left >= price else { return false }
        left -= price
        return true
    }

    mutating func answered() {
        left = min(most, left + 1)
    }
}
