import NIOPosix
import SystemSupport
import TransferCommon
import TransferCore

// Asks a gateway whether the store holds files. Finds files like a push, examines them, and submits a question for each
// file as soon as the shell has room for it.

extension UploadFeeder {
    /// The result of examining a file: a gateway can be asked about it, or the check has ended without a gateway.
    private enum Look: Sendable {
        case ready(SourceFile, FileSettling.Look)
        case answered(CheckedFile)

        var lacksDescriptor: Bool {
            if case .answered(let file) = self, case .failed(let failure) = file.result {
                failure.kind == .tooManyOpenFiles
            } else {
                false
            }
        }
    }

    /// Asks a gateway about each file that no process is writing.
    ///
    /// - Parameter count: raised by the number of questions submitted to the shell, also if this method throws.
    func check(
        _ choice: FileChoice, _ options: CheckOptions, count: inout Int, notBegun: inout NotBegun,
        _ events: EventBuffer
    ) async throws {
        let walk = SharedWalk(choice.batches(home: home), control: control)
        let clock = try await threads.runIfActive { [path = home.clockPath] in FileClock(path: path) }
        let time = MonotonicClock()
        var wait = DescriptorWait(patience: configuration.limits.retryFor)
        var unopened: [FileBatches.Candidate] = []
        while true {
            await events.waitUntilRead()
            let room = await shell.waitForRoom()
            // try?: cancellation ends the sleep early, and the next attempt then comes sooner.
            if wait.isWaiting { try? await Task.sleep(for: DescriptorWait.pause) }
            guard !isStopped else { break }
            let files: [FileBatches.Candidate]
            if unopened.isEmpty {
                let waits = !wait.isWaiting || wait.wasRefused(now: time.now)
                let found = try await threads.runIfActive {
                    walk.next(atMost: min(room, Self.batchMax), waitsForDescriptor: waits)
                }
                if found.lacksDescriptor { _ = wait.wasRefused(now: time.now) }
                guard found.lacksDescriptor || !found.candidates.isEmpty else { break }
                files = found.candidates.filter { $0.finding != .home }
            } else {
                files = Array(unopened.prefix(room))
                unopened.removeFirst(files.count)
            }
            let looks = try await threads.runIfActive { files.map { Self.look(at: $0, clock) } }
            let records = try await threads.runIfActive { [journal] in
                try journal.records(ofKeys: files.map(\.key), withReceipts: false)
            }
            var questions: [AgentShell.Question] = []
            for (file, (look, record)) in zip(files, zip(looks, records)) {
                if look.lacksDescriptor, wait.wasRefused(now: time.now) {
                    unopened.append(file)
                    continue
                }
                switch look {
                case .answered(let checked):
                    events.add([.checked(checked)])
                case .ready(let source, let seen):
                    wait.wasOpened()
                    let id = UploadID(Int64(count + questions.count + 1))
                    events.add([.asked(id, path: file.path, key: file.key, bytes: seen.stamp.size)])
                    questions.append((Self.request(id, file.key, seen, record.proof, options), source))
                }
            }
            count += questions.count
            await shell.prove(questions)
        }
        if isStopped { notBegun = try await threads.runIfActive { walk.countRest() } }
        notBegun.count += unopened.count
    }

    private static func look(at file: FileBatches.Candidate, _ clock: FileClock) -> Look {
        do throws(UploadFailure) {
            let source = try file.finding.open()
            let seen = try source.look(clock: clock)
            guard seen.lease == .refused else { return .ready(source, seen) }
            let finding = FileCheck.Finding(.stillWritten, "a process has it open for writing")
            return .answered(CheckedFile(path: file.path, key: file.key, .found(finding)))
        } catch {
            return .answered(CheckedFile(path: file.path, key: file.key, .failed(error)))
        }
    }

    /// Uses the part size of the original upload if it is known, because the store's digests were computed with that
    /// part size.
    private static func request(
        _ id: UploadID, _ key: String, _ seen: FileSettling.Look, _ proof: StoredProof?, _ options: CheckOptions
    ) -> ProofRequest {
        var request = ProofRequest(id: id, key: key, stamp: seen.stamp, readsBack: options.readsBack)
        request.partBytes = options.partBytes
        request.stampCounts = seen.stampCounts
        guard let proof, proof.size == seen.stamp.size, proof.partBytes > 0 else { return request }
        if request.partBytes == nil { request.partBytes = proof.partBytes }
        if options.trustsStamp, request.partBytes == proof.partBytes, FileCheck.isStampOf(proof, seen) {
            request.root = proof.root
        }
        return request
    }
}
