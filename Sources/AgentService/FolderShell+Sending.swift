import AgentKit
import FolderCore
import Logging
import NIOPosix
import Synchronization
import SystemSupport
import TransferCommon
import TransferCore

// Sending files and asking about objects, by orders for the uploader.

/// An upload that the machine has asked for.
struct SendUnderWay: Sendable {
    let request: RequestID
    let order: SendOrder
    let reading: ReadingBegin
    var progress: UploadProgress?
}

extension SendUnderWay {
    /// What was stored, as the machine needs it. Reads the file again if the store has told nothing of its root digest.
    /// Runs on a pool thread.
    func outcome(_ receipt: UploadReceipt, store: StoreIdentity?, in files: FolderFiles) -> SendOutcome {
        guard let store, let (file, before) = reading.opened else { return .failed(.network) }
        do throws(UploadFailure) {
            let partBytes = receipt.partBytes > 0 ? receipt.partBytes : max(receipt.size, 1)
            let root: SHA256Digest
            if let known = receipt.root {
                root = known
            } else {
                root = try file.rootDigest(partBytes: partBytes)
            }
            let after = try files.reading(of: file)
            // An object that another session wrote may not be continued, because no session of this agent is its own.
            let proof = ItemProof(
                store: store, key: order.key, session: receipt.session ?? .zero,
                stamp: receipt.stamp ?? before.stamp, partBytes: partBytes, root: root, etag: receipt.etag,
                version: receipt.version)
            return .stored(
                StoredReading(
                    proof, after: after.stamp, fileSystem: after.fileSystem, systemTime: before.systemTime))
        } catch {
            return SendOutcome(error)
        }
    }
}

/// What was known of a file when its reading began. The pool thread that opens the file writes it.
final class ReadingBegin: Sendable {
    typealias Reading = (stamp: FileStamp, fileSystem: FileSystemKind, systemTime: ModificationTime?)

    private let state = Mutex<(file: SourceFile, reading: Reading)?>(nil)

    /// Opens the file and reads its stamp.
    func open(_ order: SendOrder, in files: FolderFiles) throws(UploadFailure) -> SourceFile {
        let file = try files.open(order.path, inode: order.inode)
        let reading = try files.reading(of: file)
        state.withLock { $0 = (file, reading) }
        return file
    }

    var opened: (file: SourceFile, reading: Reading)? { state.withLock { $0 } }
}

extension FolderShell {
    func send(_ request: RequestID, _ order: SendOrder) {
        guard let folder = folders[order.folder], let orders else { return }
        let reading = ReadingBegin()
        sends[order.key.bytes] = SendUnderWay(request: request, order: order, reading: reading)
        var policy = ExistingKeyPolicy.verify
        var continued: SessionID?
        switch order.condition {
        case .absent: break
        case .matches(let session): continued = session
        case .any: policy = .replace
        }
        orders.add(
            .send(
                SendingOrder(
                    key: order.key.text, location: FileLocation(root: folder.settings.path, below: order.path.text),
                    policy: policy, continues: continued, metadata: folder.metadata,
                    wantsReceipt: folder.wantsReceipts
                ) { [files = folder.files] () throws(UploadFailure) in try reading.open(order, in: files) }))
    }

    func prove(_ request: RequestID, _ id: FolderID, _ path: ItemPath, _ proof: ItemProof) {
        guard let folder = folders[id], let orders else { return }
        questions[proof.key.bytes] = request
        orders.add(
            .ask(
                AskingOrder(
                    key: proof.key.text, path: path.text, stamp: proof.stamp, partBytes: proof.partBytes,
                    root: proof.root
                ) { [files = folder.files] () throws(UploadFailure) in
                    try files.open(path, inode: proof.stamp.inode)
                }))
    }

    /// Takes news of the uploader's runs.
    func received(_ news: OrderRuns.News) {
        switch news {
        case .site(let site):
            self.site = site
            handle(.storeKnown(site.store))
        case .progress(let key, let progress): sends[Array(key.utf8)]?.progress = progress
        case .sent(let key, let outcome): sent(Array(key.utf8), outcome)
        case .asked(let key, let result):
            guard let request = questions.removeValue(forKey: Array(key.utf8)) else { return }
            handle(.proved(request, ProveAnswer(result, store: site?.store)))
        case .waiting(let reason):
            if let reason, reason != waitingReason { logger.notice("\(reason)") }
            waitingReason = reason
        case .note(let key, let text): logger.info("\(text)", metadata: ["key": "\(key)"])
        }
    }

    private func sent(_ key: [UInt8], _ outcome: UploadOutcome) {
        guard let send = sends.removeValue(forKey: key) else { return }
        switch outcome {
        case .stored(let receipt, _):
            let store = receipt.site?.store ?? site?.store
            guard let folder = folders[send.order.folder] else { return }
            // The news of other files do not wait while this file is read again.
            Task {
                let outcome = await threads.files.answer { send.outcome(receipt, store: store, in: folder.files) }
                if let outcome { handle(.sent(send.request, outcome)) }
            }
        case .failed(let failure):
            log(failure, of: send)
            handle(.sent(send.request, SendOutcome(failure)))
        case .dropped: handle(.sent(send.request, .changed))
        }
    }

    private func log(_ failure: UploadFailure, of send: SendUnderWay) {
        guard failure.kind != .stopped else { return }
        logger.info(
            "A file was not stored: \(failure.cause)", metadata: ["path": "\(send.order.path)"])
    }
}
