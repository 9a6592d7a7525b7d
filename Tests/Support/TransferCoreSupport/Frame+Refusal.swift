import TransferCore
package import WireProtocol

extension Frame {
    /// What is wrong with a frame of a gateway that refuses something: a code in a scope that the specification does
    /// not give it (§12), or no message. `nil` where nothing is, and for every other frame.
    package var faultOfRefusal: String? {
        let (code, scope, message): (ErrorCode, FailureRule.Scope, String?) =
            switch self {
            case .error(let report): (report.code, report.scope.letter, report.message)
            case .sessionRefused(let refused): (refused.code, .session, refused.message)
            case .partDecision(let decision):
                switch decision.decision {
                case .later(let code, _), .no(let code): (code, .part, nil)
                case .send, .have: (.internal, .part, nil)
                }
            default: (.internal, .connection, nil)
            }
        guard FailureRule.allows(code, in: scope) else { return "\(code) in scope \(scope)" }
        return message?.isEmpty == true ? "\(type) \(code) without a message" : nil
    }
}
