import FolderCore
import TransferCommon

/// The programs and people of the model, and its faults.
extension FolderSimulation {
    func planPeople() {
        for _ in 0..<scenario.changeCount {
            after(upTo(scenario.busySeconds * 1_000)) { [unowned self] in act() }
        }
    }

    private var nameText: String { ["a", "b", "a/x", "b/x", "log", "c.bin"][Int(draw() % 6)] }

    private func newName() -> ItemPath {
        chance(500) ? ItemPath(nameText) : ItemPath("\(nameText)\(draw() % 30).mcap")
    }

    private func content() -> [UInt8] {
        let count = Int(draw() % 12)
        // Many recordings begin with the same header.
        let header: [UInt8] = chance(500) ? [1, 2, 3, 4, 5] : []
        return header + (0..<count).map { _ in UInt8(truncatingIfNeeded: draw()) }
    }

    private var names: [ItemPath] {
        files.now.names.keys.filter { !$0.isMarker }.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
    }

    private var visibleNames: [ItemPath] { names.filter { !$0.isAside } }

    /// One change by a program.
    private func act() {
        guard let path = pick(visibleNames), chance(650) else { return create(newName()) }
        act(on: path)
    }

    private func act(on path: ItemPath) {
        guard let inode = files.now.names[path] else { return }
        switch draw() % 11 {
        case 0: append(inode, path)
        case 1: rewrite(inode, path)
        case 2:
            files.write(inode, at: wall) { $0.removeLast(min(3, $0.count)) }
            opened(inode)
            notice(path, .closedAfterWriting)
        case 3: rename(path, newName())
        case 4: rotate(path)
        case 5: replace(path)
        case 6:
            files.remove(path)
            notice(path, .changed)
        case 7: files.hardLink(path, as: newName(), at: wall)
        case 8: map(inode, path)
        case 9: mark(path)
        default:
            files.remove(path)
            create(path)
        }
        trace("program changed \(path)")
    }

    private func opened(_ inode: UInt64) { files.now.files[inode]?.opens += 1 }

    /// A program writes a new file in steps.
    private func create(_ path: ItemPath) {
        guard files.now.names[path] == nil else { return act(on: path) }
        trace("program creates \(path)")
        files.create(path, content(), at: wall, reuses: chance(700), isBad: chance(40))
        guard let inode = files.now.names[path] else { return }
        notice(path, .changed)
        if chance(600) { append(inode, path) }
        if scenario.rules.ready == .marker, chance(800) {
            after(upTo(20_000)) { [unowned self] in mark(path) }
        }
    }

    private func mark(_ path: ItemPath) {
        guard scenario.rules.ready == .marker, files.now.names[path] != nil, files.now.names[path.marker] == nil else {
            return
        }
        files.create(path.marker, [], at: wall, reuses: false)
        notice(path.marker, .changed)
    }

    /// Holds the file open while it appends to it, for less time than a file stays aside.
    private func append(_ inode: UInt64, _ path: ItemPath) {
        opened(inode)
        files.now.files[inode]?.writers += 1
        var last: UInt64 = 0
        for _ in 0...(draw() % 4) {
            last += upTo(8_000)
            after(last) { [unowned self] in
                guard let file = files.now.files[inode], file.writers > 0 else { return }
                let more = UInt8(truncatingIfNeeded: draw())
                files.write(inode, at: wall) { $0.append(more) }
                notice(path, .changed)
            }
        }
        after(last + 1) { [unowned self] in close(inode, path) }
    }

    private func close(_ inode: UInt64, _ path: ItemPath) {
        guard let file = files.now.files[inode], file.writers > 0 else { return }
        files.now.files[inode]?.writers -= 1
        files.writeBack(inode, at: wall)
        notice(path, .closedAfterWriting)
    }

    /// Writes other bytes of the same length.
    private func rewrite(_ inode: UInt64, _ path: ItemPath) {
        opened(inode)
        let mask = UInt8(truncatingIfNeeded: draw() | 1)
        files.write(inode, at: wall) { $0 = $0.map { $0 ^ mask } }
        notice(path, .closedAfterWriting)
    }

    private func map(_ inode: UInt64, _ path: ItemPath) {
        opened(inode)
        files.now.files[inode]?.writers += 1
        let mask = UInt8(truncatingIfNeeded: draw() | 1)
        after(upTo(15_000)) { [unowned self] in
            guard let file = files.now.files[inode], file.writers > 0 else { return }
            files.store(inode) { $0 = $0.map { $0 ^ mask } }
            after(upTo(15_000)) { [unowned self] in close(inode, path) }
        }
    }

    private func rename(_ path: ItemPath, _ other: ItemPath) {
        files.rename(path, to: other, at: wall)
        notice(path, .changed)
        notice(other, .movedHere)
    }

    private func rotate(_ path: ItemPath) {
        let older = ItemPath(path.bytes + Array(".1".utf8))
        rename(path, older)
        create(path)
    }

    /// Writes a new file elsewhere and renames it over the old one.
    private func replace(_ path: ItemPath) {
        let temporary = ItemPath("tmp\(draw() % 100)")
        guard files.now.names[temporary] == nil else { return }
        files.create(temporary, content(), at: wall, reuses: chance(700))
        rename(temporary, path)
    }

    /// The system reports a change: lost, doubled or late.
    private func notice(_ path: ItemPath, _ notice: Notice) {
        guard scenario.lossPerCent < 100, !chance(scenario.lossPerCent * 10) else { return }
        for _ in 0..<(chance(100) ? 2 : 1) {
            inThisLife(after: upTo(chance(100) ? 20_000 : 100)) { [unowned self] in
                handle(.noticed(Self.folder, path, notice))
            }
        }
    }

    /// A program acts just while the agent removes a file.
    func meddle(with step: RemovalStep) {
        let path: ItemPath
        switch step {
        case .compare(let name, _), .setAside(let name, _): path = name
        case .compareAside(let aside), .hashAside(let aside, _), .unlink(let aside, _), .moveAway(let aside, _, _),
            .putBack(let aside, _), .findBoth(_, let aside, _):
            path = aside
        case .syncDirectory: return
        }
        guard let inode = files.now.names[path], !path.isMarker else { return }
        if path.isAside {
            // Only a program that had the file open before can still write to it, if it had; others may link it.
            switch (step, draw() % 3) {
            case (.putBack(_, let target), 0): create(target)
            case (_, 0): rewriteAside(inode)
            case (_, 1): files.hardLink(path, as: newName(), at: wall)
            default: break
            }
        } else {
            act(on: path)
        }
    }

    /// A program that has the file open writes to it. A lease shows that; without leases it must be before the second
    /// hash, which is at least a minute later.
    private func rewriteAside(_ inode: UInt64) {
        opened(inode)
        let mask = UInt8(truncatingIfNeeded: draw() | 1)
        files.write(inode, at: wall) { $0 = $0.map { $0 ^ mask } }
    }

    // MARK: Faults

    func planFaults() {
        func often(_ count: UInt64, _ body: @escaping () -> Void) {
            for _ in 0..<(draw() % count) { after(upTo(scenario.busySeconds * 1_000), body) }
        }
        if scenario.hasNetworkTrouble {
            often(6) { [unowned self] in
                network = pick([.broken, .broken, .busy, .unauthorised]) ?? .broken
                if network == .broken { handle(.link(isUp: false)) }
                after(upTo(60_000)) { [unowned self] in
                    network = .working
                    handle(.link(isUp: true))
                }
            }
        }
        often(3) { [unowned self] in
            handle(.metered(minPriority: 6))
            after(upTo(60_000)) { [unowned self] in handle(.metered(minPriority: nil)) }
        }
        if scenario.hasStoreSwaps {
            often(3) { [unowned self] in
                store.swap()
                inThisLife(after: upTo(20_000)) { [unowned self] in handle(.storeKnown(store.identity)) }
            }
        }
        if scenario.hasForeignWriters { often(8) { [unowned self] in writeForeign() } }
        if scenario.hasClockJumps {
            often(4) { [unowned self] in
                let jump = upTo(100_000_000)
                wallAhead = chance(500) ? wallAhead + jump : max(wallAhead - min(jump, wallAhead / 2), 1)
                isClockTrusted = false
            }
            often(3) { [unowned self] in bootAhead += upTo(10_000_000) }
        }
        if scenario.hasFullDisks {
            often(4) { [unowned self] in
                isJournalFull = true
                after(upTo(60_000)) { [unowned self] in isJournalFull = false }
            }
            often(20) { [unowned self] in handle(.space(Self.folder, freeBytes: chance(700) ? 500 : 5_000)) }
            often(4) { [unowned self] in
                handle(.stateSize(2_000))
                after(upTo(30_000)) { [unowned self] in handle(.stateSize(10)) }
            }
        }
        after(quietAt - now) { [unowned self] in
            (network, isJournalFull) = (.working, false)
            handle(.link(isUp: true))
            handle(.metered(minPriority: nil))
            handle(.storeKnown(store.identity))
            handle(.stateSize(10))
            handle(.space(Self.folder, freeBytes: 50_000))
        }
    }

    private func writeForeign() {
        let keys = files.now.names.keys.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
        // All names of the model are valid keys.
        guard let name = pick(keys), let key = try? ObjectKey(validating: name.bytes) else { return }
        if chance(300) {
            store.put(key, nil)
        } else {
            var written = content()
            // An object with the content of a file would be the file's own, and no event tells the agent of it.
            while files.now.files.values.contains(where: { $0.content == written }) { written.append(0xFF) }
            store.put(key, ModelObject(content: written, session: SessionID(high: 0, low: draw())))
        }
        trace("foreign writer wrote \(key)")
    }
}
