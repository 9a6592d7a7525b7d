/// Holds something that a machine uses and that is no part of its state, such as a library. All values count as equal,
/// so they do not affect whether two machines are equal.
struct Uncompared<Value: Sendable>: Hashable, Sendable {
    let value: Value

    init(_ value: Value) {
        self.value = value
    }

    static func == (left: Uncompared, right: Uncompared) -> Bool { true }

    func hash(into hasher: inout Hasher) {}
}
