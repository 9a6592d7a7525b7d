import TransferCore
package import WireProtocol

extension Frame {
    /// The fault of a gateway's refusal: a code that the specification does not allow in this scope (§12), or an empty
    /// message. `nil` if the refusal is correct or the frame is not a refusal.
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
