import TransferCommon
import WireProtocol

// How often a device may begin uses of slots and send frames (specification §5.3).

/// What a device has taken of its rates, over all its connections.
struct DevicePace: Hashable {
    /// Of uses of slots that come to nothing.
    var beginnings: Allowance
    var frames: Allowance

    init(_ limits: GatewayLimits) {
        beginnings = Allowance(
            atOnce: limits.fruitlessBeginningsAtOnce, perSecond: limits.fruitlessBeginningsPerSecond)
        frames = Allowance(atOnce: limits.framesAtOnce, perSecond: limits.framesPerSecond)
    }
}

// MARK: - Rates

extension Gateway {
    /// Takes one frame from the device's rate.
    ///
    /// - Returns: how long the shell reads nothing more from the connection; `nil` if it reads on at once.
    mutating func pauseAfterFrame(from id: ConnectionID) -> Duration? {
        guard let device = connections[id]?.device?.fingerprint else { return nil }
        let untouched = DevicePace(limits)
        let debt = paces[device, default: untouched].frames.takeInAdvance(now: context.now)
        return debt > .zero ? max(debt, limits.framePause) : nil
    }

    mutating func heard(_ bytes: UInt64, from id: ConnectionID) {
        connections[id]?.liveness.heard(now: context.now)
        connections[id]?.heardBytes &+= bytes
    }

    /// Counts SESSION OPEN, RESUME QUERY, ABORT and PROVE.
    ///
    /// - Returns: `nil` where the device may, else how long it has to wait.
    mutating func countBeginning(of device: AuthorisedDevice) -> Duration? {
        let untouched = DevicePace(limits)
        let now = context.now
        return paces[device.fingerprint, default: untouched].beginnings.take(now: now)
    }

    /// A use of a slot has shown an object: it shall not have counted.
    mutating func giveBackBeginning(at attachment: Attachment) {
        guard let device = connections[attachment.connection]?.device?.fingerprint else { return }
        paces[device]?.beginnings.giveBack()
    }
}

extension Frame {
    /// Whether an agent that gets it in answer knows now what is under its key: that is no fruitless use of a slot.
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
