package import WireProtocol

/// What a gateway says when it refuses a request or a part, or ends a session.
package struct GatewayRefusal: Hashable, Sendable {
    package var code: ErrorCode
    /// A sentence for people; may be empty.
    package var message: String
    /// How long the gateway advises the agent to wait; 0 if it advises nothing.
    package var adviceMilliseconds: UInt32

    package init(_ code: ErrorCode, message: String = "", adviceMilliseconds: UInt32 = 0) {
        self.code = code
        self.message = message
        self.adviceMilliseconds = adviceMilliseconds
    }

    init(_ refused: SessionRefused) {
        self.init(refused.code, message: refused.message, adviceMilliseconds: refused.retryAfterMilliseconds)
    }

    /// A frame that refuses a request about a session, or ends the session; `nil` for any other frame.
    init?(ofSession frame: Frame) {
        switch frame {
        case .sessionRefused(let refused): self.init(refused)
        case .error(let report) where report.scope == .session: self.init(report)
        default: return nil
        }
    }

    init(_ report: ErrorReport) {
        self.init(report.code, message: report.message, adviceMilliseconds: report.retryAfterMilliseconds)
    }

    /// The failure of an upload that the refusal ends.
    package var failure: UploadFailure { UploadFailure(code, message: message) }
}
