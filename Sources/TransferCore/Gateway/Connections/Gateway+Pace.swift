import TransferCommon
import WireProtocol

// The rates of a device (specification §5.3).

extension Gateway {
    /// Counts one frame against the rate of the connection's device.
    ///
    /// - Returns: how long the shell reads nothing more from the connection; `nil` if it reads on at once.
    mutating func pauseAfterFrame(from id: ConnectionID) -> Duration? {
        guard let device = connections[id]?.device?.fingerprint else { return nil }
        return context.devices.countFrame(of: device, limits, now: context.now)
    }

    /// A use of a slot has shown an object, so its beginning does not count.
    mutating func giveBackBeginning(at attachment: Attachment) {
        guard let device = connections[attachment.connection]?.device?.fingerprint else { return }
        context.devices.giveBackBeginning(of: device)
    }
}

extension Frame {
    /// Whether the frame tells the agent what its key holds. A use of a slot that ends with such a frame does not count
    /// as fruitless.
    var tellsOfObject: Bool {
        switch self {
        case .completed, .sessionExists: true
        case .proven(let proven): proven != .absent
        case .sessionRefused(let refused): refused.code == .keyTaken
        case .error(let report): report.code == .keyTaken
        default: false
        }
    }
}
