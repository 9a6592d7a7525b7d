/// Counts connections whose device has not said HELLO: anybody may make these, so they are few.
struct Doorstep {
    /// Together, and from one address. An honest device is here for a handshake; a fleet behind one address fits, too.
    static let connectionsMax = 1_024
    static let connectionsPerAddressMax = 256

    private var counts: [String: Int] = [:]
    private(set) var count = 0

    /// - Parameter address: the peer's, without its port.
    /// - Returns: whether the connection may stay; then `left` is owed.
    mutating func admits(_ address: String) -> Bool {
        guard count < Self.connectionsMax, counts[address, default: 0] < Self.connectionsPerAddressMax else {
            return false
        }
        count += 1
        counts[address, default: 0] += 1
        return true
    }

    /// An admitted connection has ended, or its device is known now.
    mutating func left(_ address: String) {
        guard let here = counts[address] else { return }
        count -= 1
        counts[address] = here > 1 ? here - 1 : nil
    }
}
