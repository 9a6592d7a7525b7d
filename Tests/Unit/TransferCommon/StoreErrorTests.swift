import Testing
import TransferCommon

@Suite struct StoreErrorTests {
    static let reasons: [StoreError.Reason] = [
        .bucketMissing, .uploadUnknown, .denied, .full, .unavailable, .throttled(retryAfter: .seconds(1)),
        .digestMismatch, .sizeMismatch, .partsInvalid([]), .keyTaken, .objectGone, .conflict, .keyUnsupported,
        .tooLarge, .unsupported, .bodyFailed, .completionInProgress, .outcomeUnknown, .cancelled, .damaged,
    ]

    @Test func reasonsHaveDistinctTexts() {
        let errors = Self.reasons.map { StoreError($0) }
        #expect(Set(errors.map(\.shortDescription)).count == Self.reasons.count)
        #expect(Set(errors.map(\.description)).count == Self.reasons.count)
        for error in errors {
            #expect(error.description.hasSuffix(".") && error.description.first?.isUppercase == true)
            #expect(error.shortDescription.allSatisfy { $0.isLowercase || $0 == "_" })
        }
    }

    @Test func onlyTransientErrorsAreRetryable() {
        let retryable = Self.reasons.filter { StoreError($0).isRetryable }
        #expect(retryable == [.full, .unavailable, .throttled(retryAfter: .seconds(1)), .completionInProgress])
    }

    @Test func causeIsShownOnlyOnRequest() {
        struct Secret: Error {}
        let error = StoreError(.unavailable, "It is not there.", cause: Secret())
        #expect("\(error)" == "It is not there.")
        #expect(String(reflecting: error) == "unavailable: It is not there. (\(String(reflecting: Secret())))")
    }
}
