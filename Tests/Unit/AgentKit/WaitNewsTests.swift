import AgentKit
import Foundation
import Testing
import TransferCommon
import TransferCore
import WireProtocol

/// Tests of which reports of waits a user reads.
@Suite struct WaitNewsTests {
    private static let busy = AgentReport.waiting(.busy, message: "")

    @Test func oneUploadReportsAWaitOnceUntilItMakesProgress() throws {
        var news = WaitNews()
        let (id, start) = (UploadID(1), ContinuousClock.now)
        let part = try #require(PartNumber(1))
        let stored = AgentReport.partProgress(part, sent: 1, size: 1, isStored: true)
        let reports: [(AgentReport, Int, Bool)] = [
            (Self.busy, 0, true), (Self.busy, 300, false), (.waiting(.storeFull, message: ""), 301, true),
            (stored, 302, true), (Self.busy, 400, true),
        ]
        for (report, seconds, isNews) in reports {
            let told = news.isNews(report, of: id, now: start + .seconds(seconds))
            #expect(told == isNews, "\(report) after \(seconds) s")
        }
    }

    /// Of 20,000 files that wait for the same reason, the user reads one line a minute.
    @Test func manyUploadsReportTheSameWaitOnceAMinute() {
        var news = WaitNews()
        let start = ContinuousClock.now
        let told = (1...20_000).count { number in
            let id = UploadID(Int64(number))
            defer { news.forget(id) }
            return news.isNews(Self.busy, of: id, now: start + .milliseconds(5 * number))
        }
        #expect(told == 2)
    }

    @Test(arguments: [
        (AgentReport.lost(.tokenForeign), "the name or the prefix of this device has changed since its upload began"),
        (.lost(.sessionLost), "what was sent can no longer be used (the store no longer has what was sent)"),
        (
            .waitingForEarlierVersion(.seconds(75)),
            "waits until 00:01:15Z, because an older request for this key may still arrive"
        ),
    ])
    func reportsSayWhatHappensAndUntilWhen(report: AgentReport, start: String) throws {
        let event = try #require(report.events(key: "k", nil, now: Date(timeIntervalSince1970: 0)).first)
        guard case .note("k", let text) = event else {
            Issue.record("\(event)")
            return
        }
        #expect(text.hasPrefix(start), "\(text)")
    }
}
