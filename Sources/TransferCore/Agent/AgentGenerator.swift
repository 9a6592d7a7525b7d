/// The randomness of an agent: session ids and the jitter of back-off are drawn from it. The shell chooses the
/// generator. It can be compared, because agents are equal only if they would draw the same numbers.
struct AgentGenerator: RandomNumberGenerator, Hashable, Sendable {
    private var base: any RandomNumberGenerator & Hashable & Sendable

    init(_ base: any RandomNumberGenerator & Hashable & Sendable) {
        self.base = base
    }

    mutating func next() -> UInt64 { base.next() }

    static func == (left: AgentGenerator, right: AgentGenerator) -> Bool {
        AnyHashable(left.base) == AnyHashable(right.base)
    }

    func hash(into hasher: inout Hasher) { base.hash(into: &hasher) }
}
