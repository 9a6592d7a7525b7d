import GatewayKit
import ObjectStore
import Testing
import TransferCommon

/// The messages and exit codes of errors that end a command of the gateway.
@Suite struct GatewayFailureTests {
    private struct Answer: StoreErrorDetail {
        let detail = "HeadBucket: 403 AccessDenied: no, request r"
    }

    /// The message consists of a sentence, the store's answer in parentheses, and advice.
    @Test(arguments: [
        (StoreError.Reason.denied, 69, "The store refuses the gateway", "Check the credentials"),
        (.bucketMissing, 69, "The store's directory or bucket is missing", "Create it"),
        (.unavailable, 75, "The store is not available", "Check --s3-endpoint"),
        (.full, 75, "The store is full", "Make room"), (.unsupported, 69, "The store cannot do this", ""),
    ])
    func theStoresAnswerIsShown(reason: StoreError.Reason, exitCode: Int32, sentence: String, advice: String) {
        let inner = StoreError(reason, cause: Answer())
        for error in [inner, StoreError(reason, cause: inner)] {
            let failure = GatewayFailure(error)
            #expect(failure?.exitCode == exitCode)
            let told = failure?.sentence ?? ""
            #expect(told.hasPrefix("\(sentence) (HeadBucket: 403 AccessDenied: no, request r)."), "\(told)")
            #expect(advice.isEmpty || told.contains(advice), "\(told)")
        }
    }

    @Test func errorWithoutAnswerIsItsSentence() {
        #expect(GatewayFailure(StoreError(.unsupported))?.sentence == "The store cannot do this.")
    }
}
