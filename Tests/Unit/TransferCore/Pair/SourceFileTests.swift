import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

@Suite struct SourceFileTests {
    private func slowPair(seed: UInt64 = 1) -> Pair {
        var options = PairOptions()
        options.seed = seed
        options.linkBytesPerSecond = 10_000
        return Pair(options)
    }

    private func fails(_ pair: Pair, _ upload: UploadID, _ kind: UploadFailure.Kind) {
        guard case .failed(let failure) = pair.agent.outcomes[upload] else {
            Issue.record("\(String(describing: pair.agent.outcomes[upload]))")
            return
        }
        #expect(failure.kind == kind)
        #expect(pair.store.object("site/file") == nil)
        pair.rest()
        #expect(pair.violations == [])
    }

    @Test(arguments: [900, 5_000])
    func changingFileIsNeverCompleted(size: Int) {
        for chunks in 1...(size / 256) {
            let pair = slowPair()
            let upload = pair.push(bytes: size)
            pair.run { $0.chunkTimes.count >= chunks }
            guard let file = pair.files[upload] else { return }
            file.rewrite(file.bytes.map { $0 ^ 1 })
            pair.run()
            if case .stored = pair.agent.outcomes[upload], size == 900 {
                // The agent had read the whole file before the change, so the store has the old content.
                #expect(pair.store.object("site/file")?.bytes == file.bytes.map { $0 ^ 1 })
                continue
            }
            fails(pair, upload, .changed)
        }
    }

    @Test func aFileThatIsCutShortIsReported() {
        let pair = slowPair()
        let upload = pair.push(bytes: 9_000)
        pair.run { $0.chunkTimes.count >= 2 }
        pair.files[upload]?.rewrite([1, 2, 3])
        pair.run()
        fails(pair, upload, .changed)
    }

    @Test(arguments: [250, 900, 5_000])
    func newChangeTimeAloneIsAccepted(size: Int) {
        for chunks in [1, 2, 5] where chunks * 256 < size + 256 {
            let pair = slowPair()
            let upload = pair.push(bytes: size)
            pair.run { $0.chunkTimes.count >= chunks }
            pair.files[upload]?.touchChangeTime()
            pair.expectStored(upload)
        }
    }

    @Test func digestsRevealAHiddenChange() {
        let pair = slowPair()
        let upload = pair.push(bytes: 5_000)
        pair.run { $0.store.confirmed.count >= 2 }
        pair.files[upload]?.touchChangeTime()
        pair.files[upload]?.corrupt(at: 10)
        pair.run()
        fails(pair, upload, .changed)
    }

    @Test func mismatchedBytesAreReadAgain() {
        // The store rejects the second part because its bytes differ from their digest, as if the file had changed
        // between two reads.
        let pair = Pair()
        pair.store.faults = [.storePart: [2: .fails(.digestMismatch)]]
        let upload = pair.push(bytes: 5_000)
        pair.expectStored(upload)
        #expect(pair.partsRead == 6)
    }

    @Test(arguments: [900, 3_000])
    func persistentMismatchIsReportedAsChanged(size: Int) {
        let pair = Pair()
        pair.store.standingFaults = [.storePart: .fails(.digestMismatch), .storeObject: .fails(.digestMismatch)]
        let upload = pair.push(bytes: size)
        pair.run()
        fails(pair, upload, .changed)
    }

    // MARK: Between two runs

    enum Change: String, CaseIterable {
        case none, changeTime, modificationTime, contentOfSameSize, contentOfOtherSize
    }

    @Test(arguments: Change.allCases, [250, 900, 5_000])
    func newPushSendsTheCurrentVersion(change: Change, size: Int) {
        for chunks in 1...8 {
            let pair = slowPair(seed: UInt64(chunks))
            let upload = pair.push(bytes: size)
            pair.run { $0.chunkTimes.count >= chunks || $0.isDone }
            guard !pair.isDone, let file = pair.files[upload] else { continue }
            pair.restartAgent {
                switch change {
                case .none: break
                case .changeTime: file.touchChangeTime()
                case .modificationTime: file.touchModificationTime()
                case .contentOfSameSize: file.rewrite(file.bytes.dropLast() + [file.bytes[size - 1] ^ 1])
                case .contentOfOtherSize: file.rewrite(file.bytes + [1])
                }
            }
            pair.expectStored(upload, "\(change) after \(chunks) chunks")
            if change != .contentOfSameSize, change != .contentOfOtherSize {
                #expect(pair.store.partsStoredAgain == [])
            }
        }
    }

    /// `resume` promises to send the version of the file with which the upload began. Before a part is stored, nothing
    /// proves that a touched file is still that version, even if its content is the same.
    @Test(arguments: [Change.changeTime, .modificationTime, .contentOfSameSize], [250, 900, 5_000])
    func resumeSendsTheOriginalVersion(change: Change, size: Int) {
        let pair = slowPair()
        let upload = pair.push(bytes: size)
        pair.run { $0.chunkTimes.count >= 1 }
        guard let file = pair.files[upload] else { return }
        #expect(pair.store.confirmed.isEmpty)
        pair.restartAgent(purpose: .resume) {
            switch change {
            case .changeTime: file.touchChangeTime()
            case .modificationTime: file.touchModificationTime()
            default: file.rewrite(file.bytes.map { $0 ^ 1 })
            }
        }
        pair.run()
        fails(pair, upload, .wrongFile)
    }

    /// The store completes an object, and the agent dies before it receives COMPLETED. Then the file changes. The next
    /// run must not report the old object as an upload of the changed file.
    @Test(arguments: [250, 900, 5_000])
    func completedOldVersionIsNotTheCurrentFile(size: Int) {
        let pair = Pair()
        let upload = pair.push(bytes: size)
        pair.run { $0.store.object("site/file") != nil }
        guard let file = pair.files[upload] else { return }
        pair.restartAgent { file.rewrite(file.bytes.dropLast() + [file.bytes[size - 1] ^ 1]) }
        pair.run()
        // The key holds other content of the same size, so `verify` fails.
        guard case .failed(let failure) = pair.agent.outcomes[upload] else {
            Issue.record("\(String(describing: pair.agent.outcomes[upload]))")
            return
        }
        #expect(failure.kind == .keyTaken)
        pair.rest()
        #expect(pair.violations == [])
    }

    @Test(arguments: [250, 900, 5_000])
    func touchedFileMatchesTheCompletedObject(size: Int) {
        let pair = Pair()
        let upload = pair.push(bytes: size)
        pair.run { $0.store.object("site/file") != nil }
        pair.restartAgent { pair.files[upload]?.touchModificationTime() }
        pair.expectStored(upload)
    }

    /// A request with an earlier version of a file may still take effect in the store. Until this is impossible, the
    /// agent sends no other version of the file under the same key (specification §9.2).
    @Test(arguments: [Change.modificationTime, .contentOfSameSize, .contentOfOtherSize])
    func newOnePartVersionWaitsForThePutLimit(change: Change) {
        var options = PairOptions()
        options.gatewayLimits.putLimit = .seconds(30)
        let pair = Pair(options)
        // The request with the old version takes effect long after its connection is gone.
        pair.store.faults = [.storeObject: [1: .delayed(.seconds(25))]]
        let upload = pair.push(bytes: 900, policy: .replace)
        pair.run { $0.transcript.contains { $0.hasSuffix("COMPLETE") } }
        pair.run { [start = pair.schedule.now] in $0.schedule.now > start + .milliseconds(20) }
        guard let file = pair.files[upload] else { return }
        pair.restartAgent {
            switch change {
            case .contentOfSameSize: file.rewrite(file.bytes.map { $0 ^ 1 })
            case .contentOfOtherSize: file.rewrite(file.bytes.dropLast())
            default: file.touchModificationTime()
            }
        }
        pair.run()
        pair.rest()
        pair.checkStored(upload)
        #expect(pair.violations == [])
    }

    /// The store hides the upload while it completes the upload, and an abort does not stop the completion. The store
    /// checks no condition, so only the agent's wait protects the new version.
    @Test func newVersionOfSeveralPartsWaitsForThePutLimit() {
        var options = PairOptions()
        options.gatewayLimits.putLimit = .seconds(1)
        options.gatewayLimits.completionTimeMax = .seconds(30)
        options.gatewayLimits.conditions = .none
        let pair = Pair(options)
        pair.store.conditions = .none
        pair.store.faults = [.complete: [1: .completesInSteps(.seconds(25))]]
        let upload = pair.push(bytes: 5_000, policy: .replace)
        pair.run { $0.store.requestCounts[.complete] == 1 }
        pair.run { [start = pair.schedule.now] in $0.schedule.now > start + .milliseconds(20) }
        guard let file = pair.files[upload] else { return }
        pair.gateway.restart()
        pair.restartAgent { file.rewrite(file.bytes.map { $0 ^ 1 }) }
        pair.run()
        pair.rest()
        pair.checkStored(upload)
        #expect(pair.violations == [])
    }

    /// The gateway gives a session up whose upload the store hides for long, and another session stores the file. The
    /// first completion may still land, so the agent remembers the version although the file is stored.
    @Test func versionOfALostSessionIsRememberedAfterAnotherSessionStoredIt() {
        var options = PairOptions()
        options.gatewayLimits.completionTimeMax = .seconds(400)
        options.gatewayLimits.conditions = .none
        let pair = Pair(options)
        pair.store.conditions = .none
        pair.store.faults = [.complete: [1: .completesInSteps(.seconds(300))]]
        let upload = pair.push(bytes: 5_000, policy: .replace)
        pair.run { $0.store.requestCounts[.complete] == 1 }
        pair.run { [start = pair.schedule.now] in $0.schedule.now > start + .milliseconds(20) }
        pair.gateway.restart()
        pair.run()
        pair.checkStored(upload)
        #expect(pair.journal.rows[upload]?.withdrawn != nil)
    }
}
