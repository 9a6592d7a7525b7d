/// The random numbers of the operating system, as a value that the agent's machine can hold: machines are compared, but
/// two values of `SystemRandomNumberGenerator` cannot be compared. All values of this type are equal, because they have
/// no state.
struct SystemGenerator: RandomNumberGenerator, Hashable, Sendable {
    func next() -> UInt64 {
        var system = SystemRandomNumberGenerator()
        return system.next()
    }
}
