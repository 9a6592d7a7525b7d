package import Foundation
import TransferCommon

extension GatewayAbsence.Notice {
    /// What the run waits for, until when, and what happens then, in one sentence.
    ///
    /// - Parameters:
    ///   - gateway: host and port, as the user has given them.
    ///   - now: the time by the device's clock.
    ///   - step: what the user can do for the work after that.
    package func sentence(_ gateway: (host: String, port: Int), now: Date, then step: NextStep) -> String {
        let address = HostAndPort.text(host: gateway.host, port: gateway.port)
        let end = ReadableQuantity.moment(after: rest, now: now)
        let subject = isConnected ? "waiting" : "waiting for gateway \(address)"
        if step == .service { return "\(subject): \(reason); tries again until it answers" }
        return "\(subject): \(reason); tries again until \(end), then \(step.afterGivingUp)"
    }
}

extension NextStep {
    fileprivate var afterGivingUp: String {
        switch self {
        case .pushOrResume: "keeps the uploads for resume"
        case .push: "ends, and the same push continues later"
        case .pushStream: "gives the stream up"
        case .drop: "leaves the drop to the next push or resume"
        case .check, .runAgain, .service: "ends"
        }
    }
}
