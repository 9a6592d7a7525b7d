import WireProtocol

extension Frame {
    /// Whether the frame, an answer to COMPLETE of a one-part file, says that this COMPLETE stores nothing, now or
    /// later. In that case the store has refused the file, or the gateway has refused it without asking the store.
    /// After any other answer, the gateway's request may still be on its way to the store.
    var refusesToStore: Bool {
        switch self {
        // The store or the gateway has found another object under the key, so COMPLETE has stored nothing.
        case .sessionExists: true
        case .sessionRefused(let refused): refused.code.refusesToStore
        case .error(let report): report.code.refusesToStore
        // The gateway began no request for the part, so it ignores COMPLETE (specification §9.2).
        case .partDecision(let decision): decision.decision.voidsComplete
        default: false
        }
    }
}

extension PartDecision.Decision {
    fileprivate var voidsComplete: Bool {
        switch self {
        case .later, .no: true
        case .send, .have: false
        }
    }
}

extension ErrorCode {
    fileprivate var refusesToStore: Bool {
        switch self {
        case .storeRefuses, .storeFull, .bucketMissing, .contentRefused, .keyTaken, .keyUnsupported, .keyInvalid,
            .sizeUnsupported, .partSizeUnsupported, .metadataInvalid:
            true
        default: false
        }
    }
}
