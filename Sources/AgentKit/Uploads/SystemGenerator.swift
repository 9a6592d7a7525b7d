/// The random numbers of the operating system, as a value that the agent's machine can hold: machines are compared, and
/// `SystemRandomNumberGenerator` cannot be. All values are equal because none has a state.
struct SystemGenerator: RandomNumberGenerator, Hashable, Sendable {
    func next() -> UInt64 {
        var system = SystemRandomNumberGenerator()
        return system.next()
    }
}
