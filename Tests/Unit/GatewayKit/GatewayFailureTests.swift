import GatewayKit
import ObjectStore
import SystemSupport
import Testing
import TransferCommon

/// The messages and exit codes of errors that end a command of the gateway.
@Suite struct GatewayFailureTests {
    private struct Answer: StoreErrorDetail {
        let detail = "HeadBucket: 403 AccessDenied: no, request r"
    }

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

    /// Advice about credentials and endpoints would mislead the operator of a store in a directory.
    @Test(arguments: [
        (StoreError.Reason.denied, 69, "Let the gateway's user write there"), (.unavailable, 75, "Check the disk"),
    ])
    func adviceAboutADirectoryIsNotThatAboutS3(reason: StoreError.Reason, exitCode: Int32, advice: String) {
        let cause = FileError(path: "/srv/objects", cause: .notRegularFile)
        let failure = GatewayFailure(StoreError(reason, cause: cause))
        #expect(failure?.exitCode == exitCode)
        #expect(failure?.sentence.contains(advice) == true, "\(failure?.sentence ?? "")")
        #expect(failure?.sentence.contains("s3") == false && failure?.sentence.contains("AWS") == false)
    }

    @Test func errorWithoutAnswerIsItsSentence() {
        #expect(GatewayFailure(StoreError(.unsupported))?.sentence == "The store cannot do this.")
    }
}
