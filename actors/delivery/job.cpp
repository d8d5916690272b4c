#include "actors/delivery/job.hpp"

namespace merpati::delivery {

bool job::takes(const waiting_recipient& other) const {
  return recipients.size() < recipients_per_job && shard == other.shard && body == other.body
         && details().sender == other.details.sender && details().mail == other.details.mail;
}

} // namespace merpati::delivery
