import GatewayKit
import Logging
import TestSupport
import Testing
import TransferCommon
import TransferCore

/// The lines about requests to the store that fail and succeed again.
@Suite struct StoreLogTests {
    private struct Answer: StoreErrorDetail {
        var detail: String { "UploadPart: 503 SlowDown: wait, request r7" }
        var facts = StoreCallFacts(
            operation: "UploadPart", status: 503, code: "SlowDown", requestID: "r7", attempts: 1)

        func afterAttempts(_ count: Int) -> Answer {
            var answer = self
            answer.facts.attempts = count
            return answer
        }
    }

    private let request = StoreRequest.abort(key: "cam1/a", upload: "u")

    @Test func failureNamesCallDeviceAndWhatFollows() throws {
        let written = Watched<[String]>([])
        let log = StoreLog(LineKeeper.logger(written))
        let error = StoreError(.throttled(retryAfter: nil), cause: Answer()).afterAttempts(4)
        for _ in 0..<3 { log.answered(request, .failed(error), device: "cam1") }
        log.answered(request, .done, device: nil)
        try #require(written.current.count == 2, "\(written.current)")
        for part in [
            "A request to the store failed", "device: cam1", "key: cam1/a", "store.operation: UploadPart",
            "store.status: 503", "store.code: SlowDown", "store.request_id: r7", "store.attempts: 4", "next: ",
        ] {
            #expect(written.current[0].contains(part), "\(written.current[0])")
        }
        for part in ["carries out these requests again", "store.failures: 3", "store.failing_seconds: "] {
            #expect(written.current[1].contains(part), "\(written.current[1])")
        }
    }

    @Test func bothLinesAreWarnings() {
        let written = Watched<[String]>([])
        var logger = LineKeeper.logger(written)
        logger.logLevel = .error
        let log = StoreLog(logger)
        log.answered(request, .failed(StoreError(.unavailable)), device: nil)
        log.answered(request, .done, device: nil)
        #expect(written.current == [], "warnings are below the level of errors")
    }
}
