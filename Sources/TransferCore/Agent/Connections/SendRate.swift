package import TransferCommon

/// The rate at which the socket of one connection takes bytes: a smoothed mean over at least a quarter of a second.
package struct SendRate: Hashable, Sendable {
    /// 0 while the rate is not known.
    package private(set) var bytesPerSecond: Double = 0
    private var measuredBytes: UInt64 = 0
    private var measuredSince: Instant?

    package init() {}

    /// Counts bytes that the socket has taken, and measures the rate anew every quarter of a second.
    package mutating func taken(wireBytes: UInt64, now: Instant) {
        let since = measuredSince ?? now
        measuredSince = since
        measuredBytes += wireBytes
        let elapsed = now.since(since).inSeconds
        guard elapsed >= 0.25 else { return }
        let rate = Double(measuredBytes) / elapsed
        bytesPerSecond = bytesPerSecond == 0 ? rate : bytesPerSecond * 0.5 + rate * 0.5
        measuredBytes = 0
        measuredSince = now
    }

    /// Plain bytes that one chunk should carry, at most `gatewayMax`: about what the link carries in one second,
    /// because a control frame cannot overtake a chunk of which the socket has taken bytes. If the rate is limited, at
    /// most what it allows in a twentieth of a second.
    package func chunkBytes(_ limits: AgentLimits, gatewayMax: UInt32) -> UInt64 {
        var bytes = UInt64(min(limits.chunkBytesMax, gatewayMax))
        if bytesPerSecond > 0, bytesPerSecond < Double(bytes) { bytes = UInt64(bytesPerSecond) }
        if let limit = limits.bytesPerSecond { bytes = min(bytes, max(limit / 20, 1)) }
        return max(bytes, UInt64(min(limits.chunkBytesMin, gatewayMax)))
    }
}
