import Testing
import TransferCommon
import TransferCore

@Suite struct StoreErrorCodeTests {
    /// A damaged answer may come from a proxy. The machines treat it like no answer from the store.
    @Test(arguments: [
        (StoreError.Reason.unavailable, Duration.zero), (.completionInProgress, .zero), (.damaged, .zero),
        (.throttled(retryAfter: nil), .seconds(1)), (.throttled(retryAfter: .seconds(7)), .seconds(7)),
        (.throttled(retryAfter: .zero), .zero),
    ])
    func busyStoreNamesAPause(reason: StoreError.Reason, pause: Duration) {
        #expect(StoreError(reason).retryAfter == pause)
    }

    @Test(arguments: [
        StoreError.Reason.full, .outcomeUnknown, .denied, .bucketMissing, .uploadUnknown, .digestMismatch,
        .sizeMismatch, .keyTaken, .objectGone, .conflict, .keyUnsupported, .tooLarge, .unsupported, .bodyFailed,
        .cancelled, .partsInvalid([]),
    ])
    func otherFailuresNameNoPause(reason: StoreError.Reason) {
        #expect(StoreError(reason).retryAfter == nil)
    }

    /// The sentence and the cause of an error are for people, so a machine need not compare them.
    @Test func errorsOfOneReasonAreEqual() {
        #expect(StoreError(.denied, "The store refuses this key.") == .denied)
        #expect(StoreError.unavailable(retryAfter: .zero) != .unavailable(retryAfter: .seconds(1)))
    }
}
