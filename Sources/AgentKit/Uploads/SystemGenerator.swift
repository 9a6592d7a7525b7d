/// The random numbers of the operating system. Tests compare the agent's state machine with `==`, and
/// `SystemRandomNumberGenerator` is not equatable, so the machine holds this type. All its values are equal, because
/// they have no state.
package struct SystemGenerator: RandomNumberGenerator, Hashable, Sendable {
    package init() {}

    package func next() -> UInt64 {
        var system = SystemRandomNumberGenerator()
        return system.next()
    }
}
