package import AgentKit
import Synchronization
import TransferCommon
package import TransferCore

/// Performs orders by runs of the uploader: `start` or the first order begins a run, and the run lasts until `stop`, or
/// until a failure that concerns all files ends it. The next order then begins another run.
package final class OrderRuns: Sendable {
    /// What happens to orders. An order is named by its key.
    package enum News: Sendable {
        /// A gateway has answered, or the journal knows which store was used last.
        case site(DeviceSite)
        case progress(key: String, UploadProgress)
        case sent(key: String, UploadOutcome)
        case asked(key: String, CheckedFile.Result)
        /// Why nothing is sent now, a sentence for people; `nil` once something is.
        case waiting(String?)
        /// Information about one file, for the log.
        case note(key: String, String)
    }

    /// One run, with the orders that have no outcome yet.
    private final class Run: Sendable {
        let orders = UploadOrders()
        let control = UploadControl()
        /// The keys of the orders, as bytes: keys that only look alike are different. The value says whether the order
        /// is a question.
        private let unanswered = Mutex<[[UInt8]: Bool]>([:])

        func add(_ order: UploadOrder) {
            var isQuestion = false
            if case .ask = order { isQuestion = true }
            unanswered.withLock { $0[Array(order.key.utf8)] = isQuestion }
            orders.add(order)
        }

        func answered(_ news: News) {
            switch news {
            case .sent(let key, _), .asked(let key, _):
                _ = unanswered.withLock { $0.removeValue(forKey: Array(key.utf8)) }
            case .site, .progress, .waiting, .note: break
            }
        }

        /// The news that each order without an outcome has failed.
        func failed(_ failure: UploadFailure) -> [News] {
            unanswered.withLock { orders in
                defer { orders = [:] }
                return orders.map { key, isQuestion in
                    let key = String(decoding: key, as: UTF8.self)
                    return isQuestion ? .asked(key: key, .failed(failure)) : .sent(key: key, .failed(failure))
                }
            }
        }
    }

    private struct State {
        var run: Run?
        var task: Task<Void, Never>?
        var isStopped = false
        var bytesPerSecond: UInt64?
    }

    private let makeUploader: @Sendable () throws -> Uploader
    private let report: @Sendable (News) async -> Void
    private let state = Mutex(State())

    /// - Parameters:
    ///   - uploader: makes the uploader of a run, so that a run uses the pins and the identity of its time.
    ///   - report: called with news, one at a time and in order.
    package init(
        uploader: @escaping @Sendable () throws -> Uploader, report: @escaping @Sendable (News) async -> Void
    ) {
        makeUploader = uploader
        self.report = report
    }

    /// Adds an order. Its outcome follows as `sent` or `asked`.
    package func add(_ order: UploadOrder) {
        state.withLock { state in
            // After `stop`, nothing waits for outcomes any more.
            guard !state.isStopped else { return }
            let run = state.run ?? begin(&state)
            run.add(order)
        }
    }

    /// Begins a run before there is an order. Its first news names the store that was used last: until that store is
    /// known, no proven file is deleted or moved, and there may be no file to send.
    package func start() {
        state.withLock { state in
            guard !state.isStopped, state.run == nil else { return }
            _ = begin(&state)
        }
    }

    private func begin(_ state: inout State) -> Run {
        let run = Run()
        state.run = run
        let before = state.task
        state.task = Task {
            // The journal of the home has one run at a time.
            await before?.value
            await perform(run)
        }
        return run
    }

    private func perform(_ run: Run) async {
        let (stream, queue) = AsyncStream.makeStream(of: News.self)
        let reporting = Task {
            for await news in stream {
                run.answered(news)
                await report(news)
            }
        }
        var ending: UploadFailure?
        do {
            var uploader = try makeUploader()
            uploader.configuration.limits.bytesPerSecond = state.withLock { $0.bytesPerSecond }
            let summary = try await uploader.run(.orders(run.orders), control: run.control) { event in
                for news in News.of(event) { queue.yield(news) }
            }
            ending = summary.ending
        } catch {
            ending = error as? UploadFailure ?? UploadFailure(.gatewayFailed, "\(error)")
        }
        // From here on an order begins the next run.
        state.withLock { state in
            if state.run === run { state.run = nil }
        }
        queue.finish()
        await reporting.value
        if let ending { await report(.waiting(ending.cause)) }
        for news in run.failed(ending ?? UploadFailure.interrupted) { await report(news) }
    }

    /// Changes the highest rate, also of a run that is under way.
    package func limitRate(to bytesPerSecond: UInt64?) async {
        let run = state.withLock { state in
            state.bytesPerSecond = bytesPerSecond
            return state.run
        }
        await run?.control.limitRate(to: bytesPerSecond)
    }

    /// Stops the run within its grace, and begins no other. Returns when it has ended.
    package func stop() async {
        let (run, task) = state.withLock { state in
            state.isStopped = true
            return (state.run, state.task)
        }
        await run?.control.stop()
        await task?.value
    }
}

extension OrderRuns.News {
    /// What an event of a run means for orders.
    package static func of(_ event: UploadEvent) -> [Self] {
        switch event {
        case .site(let site): [.site(site)]
        case .part: []
        case .file(let key, let progress): [.progress(key: key, progress), .waiting(nil)]
        case .note(let key, let text): [.note(key: key, text)]
        // An upload that another command drops may have the key of an order, which waits for its end.
        case .finished(_, _, _, let figures) where figures.isDropping: []
        case .finished(_, let key, let outcome, _):
            // A small file may be stored without a report of its progress.
            if case .stored = outcome { [.sent(key: key, outcome), .waiting(nil)] } else { [.sent(key: key, outcome)] }
        case .awaitingGateway(let sentence): [.waiting(sentence)]
        case .ended: []
        case .checked(let file):
            if case .found = file.result {
                [.asked(key: file.key, file.result), .waiting(nil)]
            } else {
                [.asked(key: file.key, file.result)]
            }
        }
    }
}
