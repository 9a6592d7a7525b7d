import FolderCore
import TransferCommon

/// What must hold. The checks look at the model's world, and ask the machine only for what it shows to people.
extension FolderSimulation {
    /// The agent deletes or moves a file away at this moment.
    func willRemove(_ file: ModelFile, at path: ItemPath) {
        let root = ModelDigest.root(of: file.content)
        let records = journal.records.values.filter { $0.stamp.inode == file.inode }
        if scenario.rules.whenFull == .shed, !path.isAside, journal.shed.values.contains(path) { return }
        let proofs = records.compactMap { record -> ItemProof? in
            guard case .removing(path) = record.course else { return nil }
            return record.stored.proof
        }
        guard let proof = proofs.first(where: { $0.root == root }) else {
            return violation("\(path) is removed, and the journal has no proof of what it contains")
        }
        if store.has(file.content, under: proof.key, in: proof.store) { return }
        if let confirmed = confirmed[proof.key], confirmed.root == root, now - confirmed.at < 300_000_000_000 { return }
        violation("\(path) is removed, and no object has its content")
    }

    /// The agent's upload replaces an object at this moment.
    func willReplace(_ former: ModelObject?, _ order: SendOrder) {
        confirmed[order.key] = nil
        guard let former else { return }
        counts.replaced += 1
        if journal.removedKeys.contains(order.key) {
            violation("\(order.key) is replaced, although the agent has removed its file")
        }
        let root = ModelDigest.root(of: former.content)
        let holder = journal.records.values.first { record in
            record.stored.proof.map { $0.key == order.key && $0.root == root && $0.store == store.identity } ?? false
        }
        if let holder {
            violation("\(order.key) is replaced, and the journal still has the proof of \(holder.path)")
        }
        if scenario.rules.onChange == .newKey {
            guard case .matches = order.condition else {
                return violation("\(order.key) is replaced, although each change gets a new key")
            }
        }
    }

    /// Why the world is not at rest; empty if every file is proven, or has a true reason why it is not.
    func unrest() -> [String] {
        guard let machine else { return ["the agent does not run"] }
        counts.virtualSeconds = now / 1_000_000_000
        var complaints: [String] = []
        let names = files.now.names.keys.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
        for path in names where !(scenario.rules.ready == .marker && path.isMarker) {
            if path.isAside {
                complaints.append("\(path) is left aside")
            } else if let file = files.now.file(at: path), let complaint = complaint(path, file, machine) {
                complaints.append(complaint)
            }
        }
        let inodes = Set(files.now.names.filter { !($0.key.isMarker && scenario.rules.ready == .marker) }.values)
        if machine.itemCount != inodes.count { complaints.append("there are \(machine.itemCount) items") }
        return complaints + wrongCounts(machine)
    }

    /// What people are shown must agree with the states of the items.
    private func wrongCounts(_ machine: Folders) -> [String] {
        var machine = machine
        func count(_ isCounted: (ItemState) -> Bool) -> Int {
            ItemState.allCases.filter(isCounted).reduce(0) { $0 + machine.count(of: Self.folder, in: $1) }
        }
        let summary = machine.summaries(troublesMax: 2).first ?? FolderSummary()
        let mark = machine.beginFlush()
        let underWay = count(\.isUnderWay)
        var complaints: [String] = []
        if summary.pendingCount != count(\.isPending) { complaints.append("\(summary.pendingCount) files are pending") }
        if summary.troubleCount != count(\.isTrouble) { complaints.append("\(summary.troubleCount) are troubles") }
        if (summary.oldestAge == nil) != (summary.pendingCount == 0) { complaints.append("the oldest is wrong") }
        if machine.isFlushed(mark) != (underWay == 0) { complaints.append("a flush with \(underWay) files is wrong") }
        return complaints
    }

    private func complaint(_ path: ItemPath, _ file: ModelFile, _ machine: Folders) -> String? {
        guard let id = machine.item(of: Self.folder, inode: file.inode), let item = machine.item(id),
            let standing = machine.standing(of: id)
        else { return "\(path) has no item" }
        let place = "\(path) of inode \(file.inode) is \(standing.state.rawValue) (\(standing.reason))"
        if standing.reason.isEmpty { return "\(path) has no reason" }
        if item.path != path { return files.now.names[item.path] == file.inode ? nil : "\(place) under \(item.path)" }
        let object = item.key.flatMap { store.object($0) }
        // On such file systems a write may not show in the stamp, and only a removal reads the content again.
        let isUnseen = scenario.kind != .stamping && item.stamp == files.stamp(of: file)
        switch standing.state {
        case .proven:
            if journal.records[id]?.stored.proof == nil { return "\(place), but the journal has no proof" }
            if scenario.rules.after != .keep { return "\(place), and not removed" }
            // Foreign writers may replace an object at any time.
            if object?.content != file.content, !scenario.hasForeignWriters, !isUnseen {
                return "\(place), but its object is another one"
            }
            return nil
        case .taken:
            if case .taken(.otherFile) = item.phase { return nil }
            if scenario.rules.onChange != .keep { return place }
            // A write may also have given the file the content of the object.
            return object?.content != file.content || isUnseen ? nil : "\(place), but the object is its own"
        case .quarantined: return file.isBad ? nil : place
        case .unmarked: return files.now.names[path.marker] == nil ? nil : place
        case .waiting: return file.isBad ? nil : place
        default: return place
        }
    }
}
