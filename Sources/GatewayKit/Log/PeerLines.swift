package import TransferCommon

/// Decides which lines about peers the log gets. Any host can cause such lines, so each kind has a token bucket. Lines
/// of one kind do not use up those of another: a flood of failed handshakes must not hide a refused device.
///
/// What a bucket has no token for is left out and counted. A line says how many lines were left out: before the next
/// line of the kind, or by `takeOverdue` when no other line follows.
package struct PeerLines: Sendable {
    /// What a line is about.
    package enum Kind: String, CaseIterable, Hashable, Sendable {
        /// A device that is not known, was revoked, or shows a certificate or invitation that is not valid.
        case refusedDevices = "refused devices"
        /// A handshake that failed for another reason.
        case handshakes = "failed handshakes"
        /// A connection from a balancer without a valid PROXY header.
        case proxyHeaders = "connections without a PROXY header"
        /// A connection that ended before its device was known.
        case connections = "connections that ended before HELLO"
        /// What devices on the list cause.
        case devices = "requests of devices"

        /// A burst for a few wrong devices, and then few enough lines that a log of a week stays readable.
        fileprivate var allowance: Allowance {
            switch self {
            case .refusedDevices, .handshakes, .proxyHeaders, .connections:
                Allowance(atOnce: 20, interval: .seconds(6))
            case .devices: Allowance(atOnce: 200, perSecond: 10)
            }
        }
    }

    /// What the caller does about a line.
    package enum OnLine: Hashable, Sendable {
        /// The caller writes the line. If `leftOut` is not 0, it first writes how many lines were left out.
        case write(leftOut: Int)
        case leaveOut
    }

    /// The number of lines of one kind that were left out.
    package struct LeftOut: Hashable, Sendable {
        package let kind: Kind
        package let count: Int
    }

    private struct Bucket {
        var allowance: Allowance
        var leftOut = 0
    }

    private var buckets: [Kind: Bucket] = [:]

    package init() {}

    /// Decides whether a line is written.
    package mutating func line(about kind: Kind, now: Instant) -> OnLine {
        var bucket = buckets[kind] ?? Bucket(allowance: kind.allowance)
        let leftOut = bucket.leftOut
        let mayWrite = bucket.allowance.take(now: now) == nil
        bucket.leftOut = mayWrite ? 0 : leftOut + 1
        buckets[kind] = bucket
        return mayWrite ? .write(leftOut: leftOut) : .leaveOut
    }

    /// The numbers of lines that were left out and for which there is a token now. The caller writes one line for each.
    package mutating func takeOverdue(now: Instant) -> [LeftOut] {
        Kind.allCases.compactMap { kind in
            guard var bucket = buckets[kind], bucket.leftOut > 0, bucket.allowance.take(now: now) == nil else {
                return nil
            }
            let leftOut = LeftOut(kind: kind, count: bucket.leftOut)
            bucket.leftOut = 0
            buckets[kind] = bucket
            return leftOut
        }
    }
}
