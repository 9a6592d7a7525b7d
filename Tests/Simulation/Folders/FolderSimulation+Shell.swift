import FolderCore
import TransferCommon

/// The shell of the model: it performs the machine's actions.
extension FolderSimulation {
    func perform(_ action: FolderAction) {
        switch action {
        case .scan(let request, _): scan(request)
        case .look(let request, _, let path, let wants):
            inThisLife(after: upTo(200)) { [unowned self] in handle(.looked(request, look(path, wants))) }
        case .send(let request, let order): send(request, order)
        case .prove(let request, _, _, let proof): prove(request, proof)
        case .step(let request, _, let step): perform(step, request)
        case .journal(let number, let changes, let served): write(number, changes, served)
        case .recall(let request, let key):
            inThisLife(after: upTo(50)) { [unowned self] in
                handle(.recalled(request, wasRemoved: journal.removedKeys.contains(key)))
            }
        case .freeReserve: isJournalFull = false
        case .report(let report): count(report)
        }
    }

    private func count(_ report: FolderReport) {
        switch report {
        case .proven: counts.proven += 1
        case .removed: counts.removed += 1
        case .shed: counts.shed += 1
        case .removalRefused: counts.refused += 1
        case .renamedBack: counts.putBack += 1
        case .keyTaken, .quarantined, .gateClosed, .spaceLow, .spaceEnough: break
        }
    }

    // MARK: Looking

    /// Walks the names in order, a few at a time, while programs change them.
    private func scan(_ request: RequestID) {
        if scenario.canary == .trustsNotifications {
            return inThisLife(after: upTo(100)) { [unowned self] in handle(.scanEnded(request, failure: nil)) }
        }
        if !isQuiet, chance(50) {
            return inThisLife(after: upTo(100)) { [unowned self] in
                handle(.scanEnded(request, failure: "the folder cannot be read"))
            }
        }
        scan(request, after: nil)
    }

    private func scan(_ request: RequestID, after cursor: ItemPath?) {
        inThisLife(after: upTo(isQuiet ? 20 : 150)) { [unowned self] in
            let names = files.now.names.keys
                .filter { cursor == nil || cursor?.bytes.lexicographicallyPrecedes($0.bytes) == true }
                .sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
            let taken = names.prefix(isQuiet ? 100 : 3)
            let entries = taken.filter { !isHidden($0) }.compactMap { path in
                files.now.file(at: path).map {
                    ScanEntry(path, files.stamp(of: $0), hasMarker: hasMarker(path))
                }
            }
            if !entries.isEmpty { handle(.scanned(request, entries)) }
            guard let last = taken.last, names.count > taken.count else {
                return inThisLife(after: 0) { [unowned self] in handle(.scanEnded(request, failure: nil)) }
            }
            scan(request, after: last)
        }
    }

    private func isHidden(_ path: ItemPath) -> Bool {
        path.isAside || scenario.rules.ready == .marker && path.isMarker
    }

    private func hasMarker(_ path: ItemPath) -> Bool {
        scenario.rules.ready == .marker && files.now.names[path.marker] != nil
    }

    /// The clock behind change times, unless it may have been set.
    private var systemTime: ModificationTime? { isClockTrusted ? files.time(wall) : nil }

    private func lease(of file: ModelFile) -> ReadLease {
        guard files.grantsLeases else { return .unavailable }
        return file.writers > 0 ? .refused : .granted
    }

    private func look(_ path: ItemPath, _ wants: LookWants) -> LookResult {
        guard let inode = files.now.names[path] else { return .missing }
        if !files.grantsLeases { files.writeBack(inode, at: wall) }
        guard let file = files.now.files[inode] else { return .missing }
        if file.isBad, scenario.seed % 2 == 0 { return .unreadable("the disk has a bad block") }
        if wants.prefix != nil || wants.root != nil, !isQuiet, chance(30) { return .changing(files.stamp(of: file)) }
        let headCount = min(file.content.count, 4)
        var look = FileLook(
            stamp: files.stamp(of: file),
            head: FileHead(
                byteCount: UInt16(headCount), hash: ModelDigest.hash(file.content.prefix(headCount))),
            lease: lease(of: file), fileSystem: files.kind, systemTime: systemTime)
        if wants.headBytes > 0, file.content.count >= Int(wants.headBytes) {
            look.headAsRecorded = ModelDigest.hash(file.content.prefix(Int(wants.headBytes)))
        }
        if wants.root != nil { look.root = ModelDigest.root(of: file.content) }
        if let prefix = wants.prefix, file.content.count >= Int(prefix.byteCount) {
            look.prefixRoot = ModelDigest.root(of: file.content.prefix(Int(prefix.byteCount)))
        }
        look.hasMarker = wants.marker && hasMarker(path)
        look.isStillAtFormerPath = wants.formerPath.map { files.now.names[$0] == inode } ?? false
        return .found(look)
    }

    // MARK: Sending

    /// Reads the first half of the file now and the second half later, as a transfer does.
    private func send(_ request: RequestID, _ order: SendOrder) {
        inThisLife(after: upTo(300)) { [unowned self] in
            if let cause = networkFailure() { return handle(.sent(request, .failed(cause))) }
            guard files.now.names[order.path] == order.inode else { return handle(.sent(request, .missing)) }
            if !files.grantsLeases { files.writeBack(order.inode, at: wall) }
            guard let file = files.now.files[order.inode] else { return handle(.sent(request, .missing)) }
            if file.isBad { return handle(.sent(request, .refused("its name is on the list of refused names"))) }
            guard lease(of: file) != .refused else { return handle(.sent(request, .changed)) }
            let (before, clock, opens) = (files.stamp(of: file), systemTime, file.opens)
            let half = Array(file.content.prefix(file.content.count / 2))
            inThisLife(after: upTo(chance(100) ? 20_000 : 1_000)) { [unowned self] in
                let body = { [unowned self] in
                    finish(request, order, before, clock, opens: opens, half)
                }
                body()
            }
        }
    }

    private func finish(
        _ request: RequestID, _ order: SendOrder, _ before: FileStamp, _ clock: ModificationTime?, opens: Int,
        _ half: [UInt8]
    ) {
        if !files.grantsLeases { files.writeBack(order.inode, at: wall) }
        guard let file = files.now.files[order.inode] else { return handle(.sent(request, .changed)) }
        let after = files.stamp(of: file)
        let isBroken = files.grantsLeases && (file.opens != opens || file.writers > 0)
        var content = half
        if file.content.count > half.count { content += file.content[half.count...] }
        // A rename changes the change time without changing the content.
        guard before == after, !isBroken, content.count == Int(before.size) else {
            return handle(.sent(request, .changed))
        }
        if let cause = networkFailure() { return handle(.sent(request, .failed(cause))) }
        let session = SessionID(high: scenario.seed, low: draw())
        let former = store.object(order.key)
        let mayWrite =
            switch order.condition {
            case .absent: former == nil
            case .matches(let session): former?.session == session
            case .any: true
            }
        if let former, former.content == content {
            return stored(request, order, former.session, before, after, clock, content, in: store.identity)
        }
        guard mayWrite else { return handle(.sent(request, .keyTaken)) }
        willReplace(former, order)
        store.put(order.key, ModelObject(content: content, session: session))
        // The answer may be lost although the object is stored.
        if !isQuiet, scenario.hasNetworkTrouble, chance(100) {
            return handle(.sent(request, .failed(.network)))
        }
        let identity = store.identity
        inThisLife(after: upTo(500)) { [unowned self] in
            stored(request, order, session, before, after, clock, content, in: identity)
        }
    }

    private func stored(
        _ request: RequestID, _ order: SendOrder, _ session: SessionID, _ before: FileStamp, _ after: FileStamp,
        _ clock: ModificationTime?, _ content: [UInt8], in identity: StoreIdentity
    ) {
        let proof = ItemProof(
            store: identity, key: order.key, session: session, stamp: before, partBytes: 8,
            root: ModelDigest.root(of: content))
        handle(
            .sent(request, .stored(StoredReading(proof, after: after, fileSystem: files.kind, systemTime: clock))))
    }

    private func networkFailure() -> GateCause? {
        switch network {
        case .working: nil
        case .broken: .network
        case .busy: .busy(retryAfter: .seconds(7))
        case .unauthorised: .unauthorised
        }
    }

    private func prove(_ request: RequestID, _ proof: ItemProof) {
        inThisLife(after: upTo(300)) { [unowned self] in
            if let cause = networkFailure() { return handle(.proved(request, .failed(cause))) }
            if !isQuiet, chance(30) { return handle(.proved(request, .unknown)) }
            guard let object = store.object(proof.key) else { return handle(.proved(request, .absent)) }
            guard ModelDigest.root(of: object.content) == proof.root else {
                return handle(.proved(request, .different))
            }
            confirmed[proof.key] = (proof.root, now)
            handle(.proved(request, .proven(store: store.identity)))
        }
    }

    // MARK: The journal

    private func write(_ number: TransactionNumber, _ changes: [JournalChange], _ served: ServiceTime) {
        if journal.pending.last?.number != number {
            journal.pending.append((number, changes, served, now + bootAhead))
        }
        let lies = scenario.canary == .deletesWithoutDurableProof
        if lies { inThisLife(after: 1) { [unowned self] in handle(.journalCommitted(number)) } }
        inThisLife(after: upTo(lies ? 8_000 : 200)) { [unowned self] in
            if isJournalFull, !lies { return handle(.journalFailed(number, .full)) }
            journal.commit(number, keepsWithdrawn: scenario.canary == .keepsProofOfReplacedObject)
            if !lies { handle(.journalCommitted(number)) }
        }
    }

    // MARK: Removing

    private func perform(_ step: RemovalStep, _ request: RequestID) {
        if !isQuiet, chance(scenario.meddlesPerThousand) { meddle(with: step) }
        inThisLife(after: upTo(100)) { [unowned self] in
            if !isQuiet, chance(20) { return handle(.stepped(request, .failed("the disk has failed"))) }
            let answer = answer(to: step)
            handle(.stepped(request, answer))
        }
    }

    private func answer(to step: RemovalStep) -> RemovalAnswer {
        switch step {
        case .compare(let path, let partBytes):
            guard let file = synced(path) else { return .missing }
            let root = partBytes == nil ? nil : ModelDigest.root(of: file.content)
            return .found(files.stamp(of: file), .unavailable, root: root)
        case .setAside(let path, let aside): return rename(path, aside)
        case .compareAside(let aside):
            guard let file = synced(aside) else { return .missing }
            if scenario.canary == .deletesWithoutLookingAgain, let proven = proven(aside) {
                return .found(proven.stamp, .granted, root: nil)
            }
            let lease = lease(of: file)
            if lease == .granted { heldLease = (file.inode, file.opens) }
            return .found(files.stamp(of: file), lease, root: nil)
        case .hashAside(let aside, _):
            guard let file = synced(aside) else { return .missing }
            if scenario.canary == .deletesWithoutLookingAgain, let proven = proven(aside) {
                return .found(proven.stamp, .granted, root: proven.root)
            }
            let lease = lease(of: file)
            if lease == .granted { heldLease = (file.inode, file.opens) }
            return .found(files.stamp(of: file), lease, root: ModelDigest.root(of: file.content))
        case .unlink(let path, let stamp):
            return unlinking(path, stamp) { [unowned self] in files.remove(path) }
        case .moveAway(let path, let target, let stamp):
            if files.now.moved[target] != nil { return .taken }
            return unlinking(path, stamp) { [unowned self] in files.moveAway(path, to: target) }
        case .syncDirectory:
            files.sync()
            return .done
        case .putBack(let aside, let path): return rename(aside, path)
        case .findBoth(let path, let aside, _):
            return .both(
                own: files.now.file(at: path).map(files.stamp(of:)), aside: files.now.names[aside] != nil)
        }
    }

    private func synced(_ path: ItemPath) -> ModelFile? {
        guard let inode = files.now.names[path] else { return nil }
        if !files.grantsLeases { files.writeBack(inode, at: wall) }
        return files.now.files[inode]
    }

    /// The proof by which the file with this hidden name is being removed.
    private func proven(_ aside: ItemPath) -> ItemProof? {
        journal.records.values.first { $0.course == .removing(aside: aside) }?.stored.proof
    }

    private func rename(_ path: ItemPath, _ other: ItemPath) -> RemovalAnswer {
        guard files.now.names[path] != nil else { return .missing }
        guard files.now.names[other] == nil else { return .taken }
        files.rename(path, to: other, at: wall)
        return .done
    }

    private func unlinking(_ path: ItemPath, _ stamp: FileStamp, _ body: () -> Void) -> RemovalAnswer {
        guard let file = synced(path) else { return .missing }
        let looksAgain = scenario.canary != .deletesWithoutLookingAgain
        if looksAgain, files.stamp(of: file) != stamp { return .changed }
        if looksAgain, let lease = heldLease, lease.inode == file.inode, lease.opens != file.opens { return .changed }
        willRemove(file, at: path)
        body()
        return .done
    }
}
