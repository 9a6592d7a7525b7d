import TransferCommon

extension UploadSession {
    var partSize: PartSizeChoice {
        PartSizeChoice(wish: request.partBytesWish, fileBytes: request.isStream ? nil : stamp?.size)
    }

    /// Whether a session with smaller parts may take the place of this one.
    func couldHaveSmallerParts(by rule: PartRule) -> Bool {
        // The file may be stored under the key already. With this policy a new session would take that object for
        // another writer's.
        if isOnePart, mayStillAppear, policy == .fail { return false }
        return plan.map { partSize.couldBeSmaller(than: $0, by: rule) } ?? false
    }
}
