package import WireProtocol

extension ErrorCode {
    /// The code in words: why something waits or has ended.
    package var words: String {
        switch self {
        case .storeUnavailable: "the store is not available"
        case .storeFull: "the store is full"
        case .busy: "the gateway has no room for it now"
        case .draining: "the gateway is being stopped"
        case .invitationInvalid: "the invitation is unknown, used or expired"
        default: name.split(separator: "_").joined(separator: " ")
        }
    }
}
